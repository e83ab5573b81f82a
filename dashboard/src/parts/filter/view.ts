import type { InviteLinkFilter, InviteLinkOrder, InviteLinkOrderField } from "../../api/gql/graphql.js";
import { expandId, shortenId } from "../../shell/shortId.js";
import { createdIn, PERIODS, type Period } from "./period.js";

/** One tag type's part of the filter: any of these tags or, with `without`, no tag of the type. */
export interface TagGroup {
  readonly type: string;
  readonly tags: readonly string[];
  readonly without: boolean;
}

/** The fields by which the table can be sorted. */
export const ORDER_FIELDS = ["NAME", "JOIN_COUNT", "ACTIVE_COUNT", "BUDGET", "CREATED_AT"] as const;

export const STATES = ["active", "all", "revoked", "expired"] as const;
export type State = (typeof STATES)[number];

/** The complete view. It is stored in the address, so that reloading, going back and sharing the address work. */
export interface View {
  readonly groups: readonly TagGroup[];
  /** Part of the name, the address or the external id. */
  readonly search: string;
  readonly state: State;
  /** When the links were created; null for any time. */
  readonly created: Period | null;
  readonly order: InviteLinkOrder & { readonly direction: "ASC" | "DESC" };
  /** The maximum number of rows shown. */
  readonly rows: number;
  /** The tag type of the chart; null for the first. */
  readonly chart: string | null;
}

/** The links of a request: under any filter and order, it costs less than a tenth of what the server accepts. */
export const PAGE_SIZE = 40;
/** The browser keeps all rows of the page in memory, so an address must not ask for more. */
const MAX_ROWS = 5000;

const NEWEST_FIRST: View["order"] = { field: "CREATED_AT", direction: "DESC" };
export const UNFILTERED = {
  groups: [],
  search: "",
  state: "active",
  created: null,
  rows: PAGE_SIZE,
} as const;
/** Stands in an address in place of a tag's id: links without a tag of the type. */
const WITHOUT = "none";
const TAGS = "tags.";
/** Parameters of the address that do not belong to the view. */
const OTHERS = ["channel", "by", "sort", "span"];

interface ReadAddress {
  readonly view: View;
  /** The parameters that are unknown or have no valid value, and so have no effect. */
  readonly dropped: readonly string[];
}

/** @param search the query string of an address */
export function readAddress(search: string): ReadAddress {
  const query = new URLSearchParams(search);
  const dropped = new Set([...query.keys()].filter((key) => !OTHERS.includes(key)));
  /** The value of a parameter, which is dropped if no value comes of it. */
  const take = <T>(key: string, read: (value: string) => T | undefined): T | undefined => {
    const value = query.get(key);
    const taken = value === null ? undefined : read(value);
    if (taken !== undefined) dropped.delete(key);
    return taken;
  };
  const groups = [...new Set(query.keys())]
    .filter((key) => key.startsWith(TAGS) && key.length > TAGS.length)
    .flatMap((key) => {
      const group = take(key, (value): TagGroup | undefined => {
        const members = [...new Set(value.split(",").filter((member) => member !== ""))];
        if (members.length === 0) return undefined;
        return {
          type: expandId("TagType", key.slice(TAGS.length)),
          tags: members.filter((member) => member !== WITHOUT).map((member) => expandId("Tag", member)),
          without: members.includes(WITHOUT),
        };
      });
      return group ? [group] : [];
    });
  const view: View = {
    groups,
    search: take("search", (value) => value) ?? UNFILTERED.search,
    state: take("state", (value) => STATES.find((state) => state === value)) ?? UNFILTERED.state,
    created: take("created", (value) => PERIODS.find((period) => period === value)) ?? null,
    order: take("order", readOrder) ?? NEWEST_FIRST,
    rows: take("rows", readRows) ?? PAGE_SIZE,
    chart: take("chart", (value) => (value === "" ? undefined : expandId("TagType", value))) ?? null,
  };
  return { view, dropped: [...dropped] };
}

function readOrder(text: string): View["order"] | undefined {
  const [field, direction] = text.split(" ");
  const isKnown =
    ORDER_FIELDS.some((known) => known === field) && (direction === "ASC" || direction === "DESC");
  return isKnown ? { field: field as InviteLinkOrderField, direction } : undefined;
}

function readRows(text: string): number | undefined {
  const rows = Number(text);
  return Number.isSafeInteger(rows) && rows > 0 ? Math.min(Math.max(rows, PAGE_SIZE), MAX_ROWS) : undefined;
}

export const readView = (search: string): View => readAddress(search).view;

/**
 * The query string of an address, without default values.
 * @param before the query string before, whose parameters of other parts of the page are kept
 */
export function writeView({ groups, search, state, created, order, rows, chart }: View, before = ""): string {
  const kept = new URLSearchParams(before);
  const query = new URLSearchParams();
  for (const key of OTHERS) {
    const value = kept.get(key);
    if (value !== null) query.set(key, value);
  }
  for (const { type, tags, without } of groups) {
    const short = tags.map((tag) => shortenId("Tag", tag));
    const members = without ? [...short, WITHOUT] : short;
    if (members.length > 0) query.set(TAGS + shortenId("TagType", type), members.join());
  }
  if (search !== "") query.set("search", search);
  if (state !== UNFILTERED.state) query.set("state", state);
  if (created !== null) query.set("created", created);
  if (order.field !== NEWEST_FIRST.field || order.direction !== NEWEST_FIRST.direction)
    query.set("order", `${order.field} ${order.direction}`);
  if (rows !== PAGE_SIZE) query.set("rows", String(rows));
  if (chart !== null) query.set("chart", shortenId("TagType", chart));
  // A comma needs no escaping in a query.
  const text = query.toString().replaceAll("%2C", ",");
  return text === "" ? "" : `?${text}`;
}

const STATE_FILTERS: Record<State, InviteLinkFilter> = {
  all: {},
  active: { isRevoked: false, isExpired: false },
  revoked: { isRevoked: true },
  expired: { isExpired: true },
};

/** @param timeZone the channel's */
export const filterOf = ({ groups, search, state, created }: View, timeZone: string): InviteLinkFilter => ({
  ...STATE_FILTERS[state],
  ...(created !== null && createdIn(created, timeZone)),
  ...(search.trim() !== "" && { search: search.trim() }),
  ...(groups.length > 0 && {
    tagGroups: groups.map(({ type, tags, without }) => ({
      tagTypeId: type,
      tagIds: [...tags],
      withoutType: without,
    })),
  }),
});

export const isFiltered = ({ groups, search, state, created }: View): boolean =>
  groups.length > 0 || created !== null || search.trim() !== "" || state !== UNFILTERED.state;

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

/** The filter with only those tags that are known, by the types that they have. */
export const knownGroups = (
  groups: readonly TagGroup[],
  known: ReadonlyMap<string, ReadonlySet<string>>,
): TagGroup[] =>
  groups
    .filter(({ type }) => known.has(type))
    .map((group) => ({ ...group, tags: group.tags.filter((tag) => known.get(group.type)?.has(tag)) }))
    .filter(({ tags, without }) => tags.length > 0 || without);

/** The filter without a tag that was deleted or moved to another type, which the server would refuse. */
export const withoutTag = (groups: readonly TagGroup[], tag: string): TagGroup[] =>
  groups
    .map((group) => ({ ...group, tags: group.tags.filter((other) => other !== tag) }))
    .filter(({ tags, without }) => tags.length > 0 || without);
