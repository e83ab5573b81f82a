/** The properties of Telegram's objects that hold a person, or a person's id. */
const PERSONS: ReadonlySet<string> = new Set(["from", "user", "user_chat_id"]);

/** The numbers and texts of the updates that are asked of Telegram, other than of persons. */
const IMPERSONAL: ReadonlySet<string> = new Set([
  "update_id",
  "date",
  "until_date",
  "status",
  "type",
  "title",
  "username",
  "invite_link",
  "name",
  "expire_date",
  "member_limit",
  "pending_join_request_count",
  "subscription_period",
  "subscription_price",
  "query_id",
]);

export interface PersonIds {
  /** What takes the place of a person's id; the id itself for one that stays. */
  numberOf(id: number): number;
  /** Whether a value of unknown meaning may be the id of a person that goes. */
  mayName(value: number | string): boolean;
}

/** The person with an id gets another one. */
export function onePerson(userId: number, otherId: number): PersonIds {
  const mentioned = new RegExp(`(?<!\\d)${userId}(?!\\d)`);
  return {
    numberOf: (id) => (id === userId ? otherId : id),
    mayName: (value) => (typeof value === "number" ? value === userId : mentioned.test(value)),
  };
}

/** All persons get other ids. Any number above 0 and any text may name a person. */
export const allPersons = (numberOf: (id: number) => number): PersonIds => ({
  numberOf,
  mayName: (value) => (typeof value === "number" ? value > 0 : value !== ""),
});

const isScalar = (value: unknown): value is number | string =>
  typeof value === "number" || typeof value === "string";

function otherId(value: unknown, ids: PersonIds): unknown {
  if (Number.isSafeInteger(value) && Number(value) > 0) return ids.numberOf(Number(value));
  if (typeof value === "string" && /^[1-9]\d{0,14}$/.test(value)) return String(ids.numberOf(Number(value)));
  return withoutUnknown(value, "", ids);
}

function fieldsOf(given: object, key: string, ids: PersonIds): object {
  const isPerson = "is_bot" in given || PERSONS.has(key) || ("type" in given && given.type === "private");
  // The other properties of something with the id of a person may tell of the person as well.
  if (!isPerson && "id" in given && isScalar(given.id) && ids.mayName(given.id)) return {};
  return Object.fromEntries(
    Object.entries(given).map(([name, part]) => {
      // The creators of links are of the team and stay.
      if (name === "creator") return [name, part];
      if ((isPerson && name === "id") || (PERSONS.has(name) && isScalar(part)))
        return [name, otherId(part, ids)];
      return [name, withoutUnknown(part, name, ids)];
    }),
  );
}

function withoutUnknown(value: unknown, key: string, ids: PersonIds): unknown {
  if (isScalar(value)) return !IMPERSONAL.has(key) && ids.mayName(value) ? null : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value))
    return value.map((part) =>
      PERSONS.has(key) && isScalar(part) ? otherId(part, ids) : withoutUnknown(part, key, ids),
    );
  return fieldsOf(value, key, ids);
}

/**
 * The body of an update with other ids of persons, where Telegram's updates have them. An update that is set aside may have
 * any form: where it is not known what a value means and the value may be such an id, null or an empty object takes its place.
 */
export const replacePersonIds = (body: unknown, ids: PersonIds): unknown => withoutUnknown(body, "", ids);
