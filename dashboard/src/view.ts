import type { InviteLinkFilter, InviteLinkOrder } from "./gql/graphql.js";

/** One tag type's part of the filter: any of these tags or, with `without`, no tag of the type. */
export interface TagGroup {
  readonly type: string;
  readonly tags: readonly string[];
  readonly without: boolean;
}

export const STATES = ["all", "active", "revoked", "expired"] as const;
export type State = (typeof STATES)[number];

/** The complete view. It is stored in the address, so that reloading, going back and sharing the address work. */
export interface View {
  /** The Telegram chat id; null for the first channel. */
  readonly channel: number | null;
  readonly groups: readonly TagGroup[];
  /** Part of the name. */
  readonly name: string;
  readonly state: State;
  readonly order: InviteLinkOrder & { readonly direction: "ASC" | "DESC" };
  /** The maximum number of rows shown. */
  readonly rows: number;
  /** The tag type of the chart; null for the first. */
  readonly chart: string | null;
}

export const PAGE_SIZE = 20;
/** The browser keeps all rows of the page in memory, so an address must not ask for more. */
const MAX_ROWS = 1000;

export const NEWEST_FIRST: View["order"] = { field: "CREATED_AT", direction: "DESC" };
export const UNFILTERED = { groups: [], name: "", state: "all", rows: PAGE_SIZE } as const;
/** Stands in an address in place of a tag's id: links without a tag of the type. */
const WITHOUT = "none";

/** @param search the query string of an address; unknown or invalid parts are ignored. */
export function readView(search: string): View {
  const query = new URLSearchParams(search);
  const [field, direction] = (query.get("order") ?? "").split(" ");
  const rows = Number(query.get("rows"));
  const channel = Number(query.get("channel"));
  return {
    channel: Number.isSafeInteger(channel) && channel !== 0 ? channel : null,
    groups: [...new Set(query.keys())].flatMap((key) => {
      const type = /^tags\.(.+)$/s.exec(key)?.[1];
      const members = (query.get(key) ?? "").split(",").filter((member) => member !== "");
      if (type === undefined || members.length === 0) return [];
      return [
        {
          type,
          tags: members.filter((member) => member !== WITHOUT),
          without: members.includes(WITHOUT),
        },
      ];
    }),
    name: query.get("name") ?? "",
    state: STATES.find((state) => state === query.get("state")) ?? "all",
    order:
      (field === "BUDGET" || field === "NAME" || field === "CREATED_AT") &&
      (direction === "ASC" || direction === "DESC")
        ? { field, direction }
        : NEWEST_FIRST,
    rows: Number.isSafeInteger(rows) && rows > PAGE_SIZE ? Math.min(rows, MAX_ROWS) : PAGE_SIZE,
    chart: query.get("chart"),
  };
}

/** The query string of an address, without default values. */
export function writeView({ channel, groups, name, state, order, rows, chart }: View): string {
  const query = new URLSearchParams();
  if (channel !== null) query.set("channel", String(channel));
  for (const { type, tags, without } of groups) {
    const members = without ? [...tags, WITHOUT] : tags;
    if (members.length > 0) query.set(`tags.${type}`, members.join());
  }
  if (name !== "") query.set("name", name);
  if (state !== "all") query.set("state", state);
  if (order.field !== NEWEST_FIRST.field || order.direction !== NEWEST_FIRST.direction)
    query.set("order", `${order.field} ${order.direction}`);
  if (rows !== PAGE_SIZE) query.set("rows", String(rows));
  if (chart !== null) query.set("chart", chart);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

const STATE_FILTERS: Record<State, InviteLinkFilter> = {
  all: {},
  active: { isRevoked: false, isExpired: false },
  revoked: { isRevoked: true },
  expired: { isExpired: true },
};

export const filterOf = ({ groups, name, state }: View): InviteLinkFilter => ({
  ...STATE_FILTERS[state],
  ...(name.trim() !== "" && { name: name.trim() }),
  ...(groups.length > 0 && {
    tagGroups: groups.map(({ type, tags, without }) => ({
      tagTypeId: type,
      tagIds: [...tags],
      withoutType: without,
    })),
  }),
});

export const isFiltered = ({ groups, name, state }: View): boolean =>
  groups.length > 0 || name.trim() !== "" || state !== "all";

/** The filter with one tag switched on or off; the tag null stands for `without`. */
export function toggle(groups: readonly TagGroup[], type: string, tag: string | null): TagGroup[] {
  const group = groups.find((other) => other.type === type) ?? { type, tags: [], without: false };
  const changed =
    tag === null
      ? { ...group, without: !group.without }
      : {
          ...group,
          tags: group.tags.includes(tag) ? group.tags.filter((other) => other !== tag) : [...group.tags, tag],
        };
  const others = groups.filter((other) => other.type !== type);
  return changed.tags.length > 0 || changed.without ? [...others, changed] : others;
}

/** The filter without a tag that was deleted or moved to another type, which the server would refuse. */
export const withoutTag = (groups: readonly TagGroup[], tag: string): TagGroup[] =>
  groups
    .map((group) => ({ ...group, tags: group.tags.filter((other) => other !== tag) }))
    .filter(({ tags, without }) => tags.length > 0 || without);
