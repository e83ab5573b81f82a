// The examples of the former API's document, unchanged, and the keys for which it allows null.

export const TAG = {
  id: "uuid",
  name: "string",
  color: "string",
  type: { id: "uuid", name: "string" },
};

export const LINK = {
  id: "string",
  name: "string",
  channel_id: 123,
  invite_link: "https://...",
  creates_join_request: false,
  expire_date: null,
  member_limit: null,
  created_at: "2024-01-01T00:00:00Z",
  updated_at: null,
  is_bot_created: true,
  creator_id: 456,
  budget: 0,
  tags: [TAG],
};

export const PAGE = { page: 1, limit: 10, total: 100, items: [LINK] };

/** The body of POST /invite_links/all. */
export const FILTER = {
  tags: [{ tag_type_id: "uuid", without_type: false, tags: ["uuid1", "uuid2"] }],
  links_ids: ["id1", "id2"],
};

/** The body of POST /invite_links. */
export const NEW_LINK = {
  channel_id: 123,
  name: "Моя ссылка",
  creates_join_request: false,
  expire_date: null,
  member_limit: null,
  budget: 0,
  tags: ["uuid1", "uuid2"],
};

export const TAG_WITH_LINKS = {
  ...TAG,
  created_at: "2024-01-01T00:00:00Z",
  updated_at: null,
  channel_id: 123,
  links: [
    {
      id: "string",
      name: "string",
      invite_link: "https://...",
      created_at: "2024-01-01T00:00:00Z",
      budget: 0,
      creator_id: 456,
      is_bot_created: true,
    },
  ],
};

/** A value for each key that may be null. Keys that are missing here are never null. */
const NULLABLE: Readonly<Record<string, unknown>> = {
  name: "string",
  expire_date: "2024-01-01T00:00:00Z",
  member_limit: 1,
  updated_at: "2024-01-01T00:00:00Z",
  creator_id: 456,
};

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** The differences in form between a value and an example, as a strict client would find them; empty if there are none. */
export function differences(value: unknown, example: unknown, at = "$"): string[] {
  if (Array.isArray(example)) {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((item, index) => differences(item, example[0], `${at}.${index}`));
  }
  if (typeof example === "object" && example !== null) {
    if (typeof value !== "object" || value === null) return [`${at} is no object`];
    const keys = Object.keys(example);
    if (JSON.stringify(Object.keys(value)) !== JSON.stringify(keys))
      return [`${at} has ${Object.keys(value)}`];
    return keys.flatMap((key) => {
      const [item, shown] = [value, example].map((from) => (from as Record<string, unknown>)[key]);
      // The name of a tag, unlike the name of a link, is never null.
      const nullable = key in NULLABLE && !(key === "name" && ("color" in example || keys.length === 2));
      if (nullable) return item === null ? [] : differences(item, NULLABLE[key], `${at}.${key}`);
      return differences(item, shown, `${at}.${key}`);
    });
  }
  if (typeof value !== typeof example) return [`${at} is ${JSON.stringify(value)}`];
  if (typeof example === "string" && INSTANT.test(example) && !INSTANT.test(String(value)))
    return [`${at} is no such instant: ${value}`];
  return [];
}
