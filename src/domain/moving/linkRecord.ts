import * as z from "zod";
import { inviteLinkAddress } from "../../telegram/addresses.js";
import { MAX_TELEGRAM_ID } from "../../telegram/ids.js";
import type { Problems } from "../errors.js";
import { MAX_MEMBER_LIMIT, MAX_SUBSCRIPTION_STARS } from "../links/settings.js";
import { MAX_TAGS } from "../links/tagging.js";
import { readName } from "../tags/names.js";
import { codePoints, foldName, isStorable } from "../text.js";
import type { MovedFields, MovedLink, MovedTag, MovedTags } from "./movedLink.js";

/** What a link's record has, in the order in which files have it: the words of the REST API, but for `url`. */
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
] as const;
export type Column = (typeof COLUMNS)[number];

/** A link as a source writes it, not yet checked. A value may be JSON's own or its text; null and "" are none. */
export type LinkRecord = { readonly [Name in Column]?: unknown } & {
  /** A list of `{ type, name, color }`. */
  readonly tags?: unknown;
  /** The types that the record speaks of; left out where `tags` are all tags of the link. */
  readonly tagTypes?: readonly string[] | undefined;
};

/** Reads what is there, as text; undefined for what is not acceptable. */
type Read<T> = (text: string) => T | undefined;

const MAX_URL_LENGTH = 255;
/** Telegram's own have 32; a source may have kept more. */
const MAX_NAME_CODE_POINTS = 255;
/** What fits into the index by which links are ordered and searched. */
const MAX_KEY_BYTES = 2000;
const MAX_WHOLE_DIGITS = 12;

const INVITE_URL = /^https?:\/\/(t|telegram)\.(me|dog)\/(\+|joinchat\/)[!-~]+$/i;
const DECIMAL = /^0*(\d+)(?:\.(\d{1,2})0*)?$/;
const INSTANT = z.iso.datetime({ offset: true, local: true });
const DAY = z.iso.date();
/** PostgreSQL has no year 0. */
const FIRST_INSTANT = Date.parse("0001-01-01T00:00:00.000Z");
const LAST_INSTANT = Date.parse("9999-12-31T23:59:59.999Z");

/** As Telegram's own answers have it, so that its updates find the link; one that Telegram shortened as it is. */
const readUrl: Read<string> = (text) =>
  text.length <= MAX_URL_LENGTH && INVITE_URL.test(text) ? (inviteLinkAddress(text) ?? text) : undefined;

const readLinkName: Read<string> = (text) =>
  isStorable(text) &&
  codePoints(text) <= MAX_NAME_CODE_POINTS &&
  Buffer.byteLength(foldName(text)) <= MAX_KEY_BYTES
    ? text
    : undefined;

const readAmount: Read<string> = (text) => {
  const [, whole = "", fraction = ""] = DECIMAL.exec(text) ?? [];
  return whole === "" || whole.length > MAX_WHOLE_DIGITS ? undefined : `${whole}.${fraction.padEnd(2, "0")}`;
};

/** Without an offset a time is UTC's, a day its beginning there. */
const readInstant: Read<Date> = (text) => {
  const iso = text.replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, "$1T");
  const zoned = /[zZ]|[+-]\d\d:?\d\d$/.test(iso.slice(10));
  const known = DAY.safeParse(iso).success || INSTANT.safeParse(iso).success;
  const instant = known ? Date.parse(iso.length > 10 && !zoned ? `${iso}Z` : iso) : Number.NaN;
  return instant >= FIRST_INSTANT && instant <= LAST_INSTANT ? new Date(instant) : undefined;
};

const wholeNumber =
  (min: number, max: number): Read<number> =>
  (text) => {
    const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  };

const readChatId = wholeNumber(-MAX_TELEGRAM_ID, -1);
const readCreator = wholeNumber(1, MAX_TELEGRAM_ID);
const readLimit = wholeNumber(0, MAX_MEMBER_LIMIT);

const YES_NO: Readonly<Record<string, boolean>> = { true: true, yes: true, false: false, no: false };
const readBoolean: Read<boolean> = (text) => YES_NO[text.toLowerCase()];

/** A value's text; undefined for what has none, "" for none. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return "";
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
}

/** Reads one record, saying in `problems` what is not acceptable of it. */
class RecordReader {
  readonly #record: LinkRecord;
  readonly #problems: Problems;

  constructor(record: LinkRecord, problems: Problems) {
    this.#record = record;
    this.#problems = problems;
  }

  /** Undefined where nothing is said, or nothing acceptable. */
  value<T>(column: Column, read: Read<T>, accepts: string): T | undefined {
    const text = textOf(this.#record[column]);
    if (text === "") return undefined;
    const value = text === undefined ? undefined : read(column === "name" ? text : text.trim());
    if (value === undefined) this.#problems.add(column, `Must be ${accepts}.`);
    return value;
  }

  /** As value; null where the record has the column, and nothing in it. */
  nullable<T>(column: Column, read: Read<T>, accepts: string): T | null | undefined {
    const isNone = this.#record[column] !== undefined && textOf(this.#record[column]) === "";
    return isNone ? null : this.value(column, read, accepts);
  }

  fields(): MovedFields {
    const instant = "an ISO 8601 date or time that exists, such as 2026-11-21T18:58:00Z";
    const yesNo = "true or false";
    const memberLimit = this.nullable("member_limit", readLimit, `a whole number up to ${MAX_MEMBER_LIMIT}`);
    return {
      name: this.nullable(
        "name",
        readLinkName,
        `well-formed text without NUL, of at most ${MAX_NAME_CODE_POINTS} characters`,
      ),
      budget: this.value(
        "budget",
        readAmount,
        "an amount up to 999999999999.99, with at most two fraction digits",
      ),
      createdAt: this.value("created_at", readInstant, instant),
      creatorId: this.nullable("creator_id", readCreator, "the id of a Telegram user"),
      expireDate: this.nullable("expire_date", readInstant, instant),
      // Telegram's way to say that there is none.
      memberLimit: memberLimit === 0 ? null : memberLimit,
      createsJoinRequest: this.value("creates_join_request", readBoolean, yesNo),
      subscriptionPrice: this.nullable(
        "subscription_price",
        wholeNumber(1, MAX_SUBSCRIPTION_STARS),
        `a whole number of Stars from 1 to ${MAX_SUBSCRIPTION_STARS}`,
      ),
      isBotCreated: this.value("is_bot_created", readBoolean, yesNo),
      isRevoked: this.value("is_revoked", readBoolean, yesNo),
    };
  }

  tags(): MovedTags | undefined {
    const { tags, tagTypes } = this.#record;
    if (tags === undefined) return undefined;
    const list = tags ?? [];
    if (!Array.isArray(list) || list.length > MAX_TAGS) {
      this.#problems.add("tags", `Must be a list of at most ${MAX_TAGS} tags.`);
      return undefined;
    }
    return { ofTypes: tagTypes ?? null, tags: list.map((tag, index) => this.#tag(tag, `tags.${index}`)) };
  }

  #tag(tag: unknown, field: string): MovedTag {
    const { type, name, color = null, ...rest } = Object(tag) as Readonly<Record<string, unknown>>;
    const unknown = Object.keys(rest);
    if (typeof type !== "string" || typeof name !== "string" || unknown.length > 0) {
      this.#problems.add(field, "Must have a type and a name, which are texts, and at most a color beside.");
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

/**
 * The link that a record tells of.
 * @param chatId the channel that all records are of; null where each says its own.
 * @returns null, having said in `problems` what is not acceptable of it.
 */
export function readLink(record: LinkRecord, chatId: number | null, problems: Problems): MovedLink | null {
  const reader = new RecordReader(record, problems);
  const own = reader.value("channel_id", readChatId, "the id of a channel or group, such as -1001234567890");
  const url = reader.value(
    "url",
    readUrl,
    "the address of an invite link, such as https://t.me/+AbCdEfGhIjKl",
  );
  const link = { fields: reader.fields(), tags: reader.tags() };
  if (textOf(record.url) === "") problems.add("url", "Must be there: links are known by their addresses.");
  if (own !== undefined && chatId !== null && own !== chatId) {
    problems.add("channel_id", `This is another channel than ${chatId}, the one to import into.`);
  }
  const channel = chatId ?? own;
  if (channel === undefined && textOf(record.channel_id) === "") {
    problems.add("channel_id", "Must be there, or the channel be named for all links.");
  }
  return problems.found || channel === undefined || url === undefined
    ? null
    : { chatId: channel, url, ...link };
}
