// The reader of updates is written by hand. This compares it with the same rules as schemas of zod, on updates of which parts
// are missing or have another form.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { readInviteLinkUrl } from "../../src/parsers/inviteLinkUrl.js";
import { readUpdate, type UpdateContent, type UpdateLink } from "../../src/telegram/updates.js";

const storable = (text: string, length: number): string =>
  text.slice(0, length).toWellFormed().replaceAll("\0", " ");
const instantOf = (unixSeconds: number): string => new Date(unixSeconds * 1000).toISOString();

const id = z.number().int().refine(Number.isSafeInteger);
const seconds = z.number().int().min(0).max(253_402_300_799);
const text = z.string().transform((value) => storable(value, 255));
const user = z.object({ id, is_bot: z.boolean().optional() });

const chat = z.object({
  id,
  type: z.enum(["private", "group", "supergroup", "channel"]),
  title: text.optional().catch(undefined),
  username: text.optional().catch(undefined),
});

const member = z.object({
  user,
  status: z.enum(["creator", "administrator", "member", "restricted", "left", "kicked"]),
  is_member: z.boolean().optional(),
  can_invite_users: z.boolean().optional(),
});

/** Fields other than the address and the creator are dropped if they have another form. */
const inviteLink = z.object({
  invite_link: z.string(),
  creator: user,
  name: text.optional().catch(undefined),
  creates_join_request: z.boolean().optional().catch(undefined),
  expire_date: seconds.optional().catch(undefined),
  member_limit: z.number().int().min(0).max(100_000).optional().catch(undefined),
  subscription_price: z.number().int().min(1).max(10_000).optional().catch(undefined),
  is_revoked: z.boolean().optional().catch(undefined),
});

const memberUpdated = z.object({
  chat,
  from: user,
  date: seconds,
  old_chat_member: member,
  new_chat_member: member,
  invite_link: inviteLink.optional(),
  via_join_request: z.boolean().optional(),
  via_chat_folder_invite_link: z.boolean().optional(),
});

const joinRequest = z.object({
  chat,
  from: user,
  date: seconds,
  bio: z.string().optional().catch(undefined),
  query_id: z.string().optional().catch(undefined),
  invite_link: inviteLink.optional(),
});

type Member = z.infer<typeof member>;

const isInChat = ({ status, is_member }: Member): boolean =>
  status === "restricted" ? is_member === true : status !== "left" && status !== "kicked";

/** @returns null for a person's chat. */
const toChat = ({ id: chatId, type, title, username }: z.infer<typeof chat>) =>
  type === "private" ? null : { id: chatId, type, title: title ?? null, username: username ?? null };

/** @throws UnreadableUpdateError for an address that is none of an invite link. */
function toLink(link: z.infer<typeof inviteLink>): UpdateLink {
  const address = readInviteLinkUrl(link.invite_link);
  if (address === null) throw new UnreadableUpdateError("invite_link.invite_link is not an invite link");
  return {
    ...address,
    creatorId: link.creator.id,
    name: link.name || null,
    createsJoinRequest: link.creates_join_request ?? false,
    expireDate: link.expire_date ? instantOf(link.expire_date) : null,
    memberLimit: link.member_limit || null,
    subscriptionPrice: link.subscription_price ?? null,
    isRevoked: link.is_revoked ?? false,
  };
}

class UnreadableUpdateError extends Error {
  override readonly name = "UnreadableUpdateError";
}

function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") || "the update";
  throw new UnreadableUpdateError(`${path} is missing or has an unexpected form`);
}

function readMemberUpdate(value: unknown): UpdateContent {
  const update = read(memberUpdated, value);
  const ofChat = toChat(update.chat);
  if (ofChat === null) return { kind: "other" };
  const { old_chat_member: before, new_chat_member: after } = update;
  return {
    kind: "member",
    at: instantOf(update.date),
    chat: ofChat,
    userId: after.user.id,
    actorId: update.from.id === after.user.id ? null : update.from.id,
    wasIn: isInChat(before),
    isIn: isInChat(after),
    link: update.invite_link ? toLink(update.invite_link) : null,
    isByJoinRequest: update.via_join_request ?? false,
    isByChatFolder: update.via_chat_folder_invite_link ?? false,
  };
}

function readBotStatus(value: unknown): UpdateContent {
  const update = read(memberUpdated, value);
  const ofChat = toChat(update.chat);
  if (ofChat === null) return { kind: "other" };
  const { status, can_invite_users: mayInvite } = update.new_chat_member;
  const isAdministrator = status === "creator" || status === "administrator";
  const mayMakeLinks = status === "creator" || (isAdministrator && mayInvite === true);
  return {
    kind: "botStatus",
    at: instantOf(update.date),
    chat: ofChat,
    status: mayMakeLinks ? "ready" : isInChat(update.new_chat_member) ? "missingRights" : "notInChat",
    isAdministrator,
  };
}

function readJoinRequest(value: unknown): UpdateContent {
  const update = read(joinRequest, value);
  const ofChat = toChat(update.chat);
  if (ofChat === null) return { kind: "other" };
  return {
    kind: "joinRequest",
    at: instantOf(update.date),
    chat: ofChat,
    userId: update.from.id,
    bio: update.bio === undefined ? null : storable(update.bio, 1000),
    queryId: update.query_id ? storable(update.query_id, 255) : null,
    link: update.invite_link ? toLink(update.invite_link) : null,
  };
}

const READERS = {
  chat_member: readMemberUpdate,
  my_chat_member: readBotStatus,
  chat_join_request: readJoinRequest,
} as const;

function plainly(kind: keyof typeof READERS, value: unknown): UpdateContent {
  try {
    return READERS[kind](value);
  } catch (error) {
    if (error instanceof UnreadableUpdateError)
      return { kind: "unreadable", reason: `${kind}: ${error.message}` };
    throw error;
  }
}

const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const anyUser = fc.record({ id: fc.nat(), is_bot: fc.boolean(), first_name: fc.string() });
const statuses = ["creator", "administrator", "member", "restricted", "left", "kicked"];
const chatMember = fc.record({
  user: anyUser,
  status: fc.constantFrom(...statuses),
  is_member: maybe(fc.boolean()),
  can_invite_users: maybe(fc.boolean()),
});
const anyChat = fc.record({
  id: fc.maxSafeInteger(),
  type: fc.constantFrom("private", "group", "supergroup", "channel"),
  title: maybe(fc.string({ unit: "binary", maxLength: 300 })),
  username: maybe(fc.string()),
});
const anyLink = fc.record({
  invite_link: fc.constantFrom(
    "https://t.me/+Whole",
    "https://t.me/+Short...",
    "https://t.me/joinchat/Old",
    "t.me/x",
  ),
  creator: anyUser,
  name: maybe(fc.string({ unit: "binary" })),
  creates_join_request: maybe(fc.boolean()),
  expire_date: maybe(fc.nat()),
  member_limit: maybe(fc.nat(110_000)),
  subscription_price: maybe(fc.nat(11_000)),
  is_revoked: maybe(fc.boolean()),
});
const common = { chat: anyChat, from: anyUser, date: fc.nat(), invite_link: maybe(anyLink) };
const changed = fc.record({
  ...common,
  old_chat_member: chatMember,
  new_chat_member: chatMember,
  via_join_request: maybe(fc.boolean()),
  via_chat_folder_invite_link: maybe(fc.boolean()),
});
const asked = fc.record({
  ...common,
  bio: maybe(fc.string({ unit: "binary", maxLength: 1100 })),
  query_id: maybe(fc.string({ unit: "binary", maxLength: 300 })),
});
const said = fc.oneof(
  fc.record({ kind: fc.constantFrom("chat_member" as const, "my_chat_member" as const), value: changed }),
  fc.record({ kind: fc.constant("chat_join_request" as const), value: asked }),
);

/** All places of a JSON value, as the names that lead there. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, part]) => placesOf(part, [...path, name]))];
}

/** The same value with another one at a place. */
function withOther(value: unknown, [name, ...rest]: readonly string[], other: unknown): unknown {
  if (name === undefined) return other;
  const fields = value as Record<string, unknown>;
  return { ...fields, [name]: withOther(fields[name], rest, other) };
}

const others = fc.oneof(
  fc.constant(undefined),
  fc.jsonValue({ maxDepth: 1 }),
  fc.constantFrom(null, [], {}, "", "1", -1, 0, 1.5, 2 ** 53, 253_402_300_800, "\0", "\ud800", true),
);

/** As it comes over the wire: what is undefined is left out. */
const sent = (value: unknown): unknown => (value === undefined ? null : JSON.parse(JSON.stringify(value)));

describe("the reader of updates", () => {
  test("reads what the schemas read, and refuses what they refuse for the same reason", () => {
    fc.assert(
      fc.property(
        said,
        fc.array(fc.tuple(fc.nat(), others), { maxLength: 3 }),
        ({ kind, value }, changes) => {
          let changedValue: unknown = value;
          for (const [number, other] of changes) {
            const places = placesOf(changedValue);
            changedValue = withOther(changedValue, places[number % places.length] ?? [], other);
          }
          const update = sent(changedValue);
          expect(readUpdate({ update_id: 1, [kind]: update })?.content).toEqual(plainly(kind, update));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
