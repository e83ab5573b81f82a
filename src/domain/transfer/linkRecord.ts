import { parseWrittenByHand } from "../../parsers/amount.js";
import { parseInstant } from "../../parsers/instant.js";
import { readInviteLinkUrl } from "../../parsers/inviteLinkUrl.js";
import { parseChatId, parseUserId } from "../../parsers/telegramId.js";
import { refuse, UnreadableValueError } from "../../parsers/unreadable.js";
import { externalIdProblem, MAX_MEMBER_LIMIT, MAX_SUBSCRIPTION_STARS } from "../links/settings.js";
import { MAX_TAGS } from "../links/tagging/linkTags.js";
import type { Problems } from "../shared/errors.js";
import { codePoints, foldName, isStorable } from "../shared/text.js";
import { readName } from "../tags/names.js";
import type { TransferFields, TransferLink, TransferTag, TransferTags } from "./transferLink.js";

/** The columns of a link's record, in the order in which files have them. All names but `url` are those of the REST API. */
export const COLUMNS = [
  "channel_id",
  "url",
  "name",
  "budget",
  "created_at",
  "creator_id",
  "expire_date",
  "member_limit",
  "creates_join_request",
  "subscription_price",
  "is_bot_created",
  "is_revoked",
  "external_id",
] as const;
export type Column = (typeof COLUMNS)[number];

/** The numbers of a link that an export has if they are asked for. An import ignores them. */
export const STATS_COLUMNS = [
  "join_count",
  "leave_count",
  "removed_count",
  "active_count",
  "unique_join_count",
  "join_request_count",
  "pending_join_request_count",
  "cost_per_join",
  "cost_per_active_member",
  "first_join_at",
  "last_join_at",
] as const;
export type StatsColumn = (typeof STATS_COLUMNS)[number];

/** A link as a source writes it, unchecked. A value is a JSON value or its text; null and "" stand for no value. */
export type LinkRecord = { readonly [Name in Column]?: unknown } & {
  /** A list of `{ type, name, color }`. */
  readonly tags?: unknown;
  /** The types whose tags `tags` lists; left out where `tags` lists all tags of the link. */
  readonly tagTypes?: readonly string[] | undefined;
};

/** Reads a value from its text. @throws UnreadableValueError */
type Read<T> = (text: string) => T;

/** Telegram allows 32; another source may have kept more. */
const MAX_NAME_CODE_POINTS = 255;
/** The longest key, in bytes, that fits into the index by which links are ordered and searched. */
const MAX_KEY_BYTES = 2000;

/** The address as Telegram writes it, so that its updates find the link. An address that Telegram shortened stays as it is. */
const readUrl: Read<string> = (text) =>
  readInviteLinkUrl(text)?.url ??
  refuse("must be the address of an invite link, such as https://t.me/+AbCdEfGhIjKl.");

const readLinkName: Read<string> = (text) =>
  isStorable(text) &&
  codePoints(text) <= MAX_NAME_CODE_POINTS &&
  Buffer.byteLength(foldName(text)) <= MAX_KEY_BYTES
    ? text
    : refuse(`must be well-formed text without NUL, of at most ${MAX_NAME_CODE_POINTS} characters.`);

const readExternalId: Read<string> = (text) => {
  const problem = externalIdProblem(text);
  return problem === null ? text : refuse(`${problem.charAt(0).toLowerCase()}${problem.slice(1)}`);
};

const readBudget: Read<string> = (text) =>
  text.startsWith("-") ? refuse("must not be negative.") : parseWrittenByHand(text);

const readInstant: Read<Date> = (text) => parseInstant(text, { dayFirst: true });

const wholeNumber =
  (min: number, max: number, unit = ""): Read<number> =>
  (text) => {
    const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max
      ? value
      : refuse(`must be a whole number${unit} from ${min} to ${max}.`);
  };

const readLimit = wholeNumber(0, MAX_MEMBER_LIMIT);
const readStars = wholeNumber(1, MAX_SUBSCRIPTION_STARS, " of Stars");

const YES_NO: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["yes", true],
  ["false", false],
  ["no", false],
]);
const readBoolean: Read<boolean> = (text) =>
  YES_NO.get(text.toLowerCase()) ?? refuse("must be true or false.");

/** A value's text: "" for no value, undefined for a list or an object. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return "";
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
}

/** The columns whose white space is part of the value. */
const TEXTS: readonly Column[] = ["name", "external_id"];

/** The fields of a link that do not come into being with it. */
type NewFields = Omit<TransferFields, "createdAt" | "creatorId" | "isBotCreated" | "isRevoked">;

/** Reads one record, and adds each value that is not acceptable to `problems`. */
class RecordReader {
  readonly #record: LinkRecord;
  readonly #problems: Problems;

  constructor(record: LinkRecord, problems: Problems) {
    this.#record = record;
    this.#problems = problems;
  }

  /** Undefined if the record has no value, or one that is not acceptable. */
  value<T>(column: Column, read: Read<T>): T | undefined {
    const text = textOf(this.#record[column]);
    if (text === "") return undefined;
    if (text === undefined) {
      this.#problems.add(column, "Must be one value, not a list or an object.");
      return undefined;
    }
    try {
      return read(TEXTS.includes(column) ? text : text.trim());
    } catch (error) {
      if (!(error instanceof UnreadableValueError)) throw error;
      this.#problems.add(column, error.sentence);
      return undefined;
    }
  }

  /** The same, but null if the record has the column without a value. */
  nullable<T>(column: Column, read: Read<T>): T | null | undefined {
    const isEmpty = this.#record[column] !== undefined && textOf(this.#record[column]) === "";
    return isEmpty ? null : this.value(column, read);
  }

  /** The fields that a link has before it exists. */
  newFields(): NewFields {
    const memberLimit = this.nullable("member_limit", readLimit);
    return {
      name: this.nullable("name", readLinkName),
      budget: this.value("budget", readBudget),
      expireDate: this.nullable("expire_date", readInstant),
      // Telegram writes 0 for no limit.
      memberLimit: memberLimit === 0 ? null : memberLimit,
      createsJoinRequest: this.value("creates_join_request", readBoolean),
      subscriptionPrice: this.nullable("subscription_price", readStars),
      externalId: this.nullable("external_id", readExternalId),
    };
  }

  fields(): TransferFields {
    return {
      ...this.newFields(),
      createdAt: this.value("created_at", readInstant),
      creatorId: this.nullable("creator_id", parseUserId),
      isBotCreated: this.value("is_bot_created", readBoolean),
      isRevoked: this.value("is_revoked", readBoolean),
    };
  }

  tags(): TransferTags | undefined {
    const { tags, tagTypes } = this.#record;
    if (tags === undefined) return undefined;
    const list = tags ?? [];
    if (!Array.isArray(list) || list.length > MAX_TAGS) {
      this.#problems.add("tags", `Must be a list of at most ${MAX_TAGS} tags.`);
      return undefined;
    }
    return { ofTypes: tagTypes ?? null, tags: list.map((tag, index) => this.#tag(tag, `tags.${index}`)) };
  }

  #tag(tag: unknown, field: string): TransferTag {
    const { type, name, color = null, ...rest } = Object(tag) as Readonly<Record<string, unknown>>;
    const unknown = Object.keys(rest);
    if (typeof type !== "string" || typeof name !== "string" || unknown.length > 0) {
      this.#problems.add(field, "Must have a type and a name, both texts, and may have a color.");
      return { type: "", name: "", color: null };
    }
    const isColor = typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color);
    if (color !== null && !isColor) this.#problems.add(`${field}.color`, "Must be a color as #RRGGBB.");
    return {
      type: readName(type, this.#problems, `${field}.type`),
      name: readName(name, this.#problems, `${field}.name`),
      color: isColor ? color.toUpperCase() : null,
    };
  }
}

/** A link that is to be created, as a source has it. */
export interface NewLink extends Omit<NewFields, "name" | "budget"> {
  readonly name: string;
  readonly budget: string;
  readonly tags: readonly TransferTag[];
}

/**
 * Reads a link that is to be created. What only an existing link has, such as an address, is ignored.
 * @returns null if the record is not acceptable; `problems` says why.
 */
export function readNewLink(record: LinkRecord, chatId: number, problems: Problems): NewLink | null {
  const reader = new RecordReader(record, problems);
  const own = reader.value("channel_id", parseChatId);
  if (own !== undefined && own !== chatId) problems.add("channel_id", `Must be ${chatId}.`);
  const { name, budget = "0.00", ...fields } = reader.newFields();
  if (name == null) problems.add("name", "Must not be empty.");
  const { tags = [] } = reader.tags() ?? {};
  return problems.found || name == null ? null : { name, budget, tags, ...fields };
}

/**
 * Reads a link from its record.
 * @param chatId the chat of all records; null if each names its own.
 * @returns null if the record is not acceptable; `problems` says why.
 */
export function readLink(
  record: LinkRecord,
  chatId: number | null,
  problems: Problems,
): Omit<TransferLink, "place"> | null {
  const reader = new RecordReader(record, problems);
  const own = reader.value("channel_id", parseChatId);
  const url = reader.value("url", readUrl);
  const link = { fields: reader.fields(), tags: reader.tags() };
  if (textOf(record.url) === "")
    problems.add("url", "Must not be empty: a link is identified by its address.");
  if (own !== undefined && chatId !== null && own !== chatId) {
    problems.add("channel_id", `Must be ${chatId}, the channel to import into.`);
  }
  const linkChatId = chatId ?? own;
  if (linkChatId === undefined && textOf(record.channel_id) === "") {
    problems.add("channel_id", "Must not be empty, unless one channel is given for all links.");
  }
  return problems.found || linkChatId === undefined || url === undefined
    ? null
    : { chatId: linkChatId, url, ...link };
}
