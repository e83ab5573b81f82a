import type { Attribution, JoinPath, WebhookEventType } from "../../database/generated/prisma/client.js";
import type { Instant } from "../../database/instant.js";
import { globalId, type IdKind } from "../shared/ids.js";
import { foldName } from "../shared/text.js";
import { fillMacros, type MacroValues } from "./macros.js";

/** A link as webhooks tell of it; made by the database function webhook_link. */
export interface ToldLink {
  readonly id: string;
  readonly name: string | null;
  readonly url: string;
  readonly externalId: string | null;
  readonly budget: string;
  readonly tags: readonly {
    readonly id: string;
    readonly name: string;
    readonly type: { readonly id: string; readonly name: string };
  }[];
}

/** What an event says, without the person. */
export interface ToldData {
  readonly path?: JoinPath | null;
  readonly attribution?: Attribution;
  readonly isRejoin?: boolean;
  readonly isRemoval?: boolean;
  readonly inviteLink?: ToldLink | null;
  readonly botStatus?: string;
}

/**
 * What a delivery sends, as it is stored before the first attempt: everything but the person's id, which is read at each
 * attempt. So repeats are equal, and erasing a person need not touch the queue.
 */
export interface DeliveryContent {
  readonly type: string;
  readonly id: string;
  readonly occurredAt: Instant;
  readonly channelId: number;
  readonly data: ToldData;
}

/** An event as it stands in the database. */
export interface ToldEvent {
  readonly eventType: WebhookEventType;
  /** Of the member event or the audit entry. */
  readonly eventId: string;
  readonly occurredAt: Instant;
  readonly chatId: number;
  readonly path: JoinPath | null;
  readonly attribution: Attribution | null;
  readonly isRejoin: boolean | null;
  readonly isRemoval: boolean | null;
  readonly link: ToldLink | null;
  /** Of an event that is no member's. */
  readonly data: ToldData | null;
}

export const isAboutMember = (type: WebhookEventType): boolean =>
  type.startsWith("MEMBER_") || type === "JOIN_REQUESTED";

/** The event type in lower case, with a dot for the first underscore. */
export const typeName = (type: WebhookEventType): string => type.toLowerCase().replace("_", ".");

function dataOf(event: ToldEvent): ToldData {
  const { eventType, path, attribution, isRejoin, isRemoval, link, data } = event;
  if (data !== null) return data;
  if (eventType === "JOIN_REQUESTED") return { inviteLink: link };
  const how = { path, ...(attribution !== null && { attribution }) };
  return eventType === "MEMBER_LEFT"
    ? { ...how, isRemoval: isRemoval === true, inviteLink: link }
    : { ...how, isRejoin: isRejoin === true, inviteLink: link };
}

export function contentOf(event: ToldEvent): DeliveryContent {
  const kind: IdKind = isAboutMember(event.eventType) ? "MemberEvent" : "AuditEntry";
  return {
    type: typeName(event.eventType),
    id: globalId(kind, event.eventId),
    occurredAt: event.occurredAt,
    channelId: event.chatId,
    data: dataOf(event),
  };
}

/**
 * The person of an event: a Telegram user id; "nobody" for an event about no person; "erased" for a person whose id is not
 * kept any more.
 */
export type ToldPerson = number | "nobody" | "erased";

/** The body of a STANDARD delivery. Nothing is told of an event whose person was erased, except that there was one. */
export function bodyOf(content: DeliveryContent, person: ToldPerson): string {
  const { data, ...envelope } = content;
  if (person === "erased") return JSON.stringify({ ...envelope, data: {} });
  return JSON.stringify({ ...envelope, data: person === "nobody" ? data : { userId: person, ...data } });
}

function macroValues(content: DeliveryContent, person: ToldPerson): MacroValues {
  const link = person === "erased" ? null : (content.data.inviteLink ?? null);
  return {
    fields: {
      event: content.type,
      event_id: content.id,
      occurred_at: content.occurredAt,
      occurred_unix: String(Math.floor(Date.parse(content.occurredAt) / 1000)),
      channel_id: String(content.channelId),
      user_id: typeof person === "number" ? String(person) : "",
      link_id: link?.id ?? "",
      link_name: link?.name ?? "",
      link_url: link?.url ?? "",
      external_id: link?.externalId ?? "",
      budget: link?.budget ?? "",
    },
    tagNames: (typeName) =>
      (link?.tags ?? [])
        .filter(({ type }) => foldName(type.name) === foldName(typeName))
        .map(({ name }) => name),
  };
}

/** The address of a POSTBACK delivery. */
export const addressOf = (url: string, content: DeliveryContent, person: ToldPerson): string =>
  fillMacros(url, macroValues(content, person));
