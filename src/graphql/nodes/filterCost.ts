import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getArgumentValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";
import type { MemberEventFilter } from "../../domain/activity/members.js";
import type { AuditFilter } from "../../domain/audit/auditEntries.js";
import type { JoinRequestFilter } from "../../domain/joinRequests/joinRequests.js";
import type { InviteLinkFilter } from "../../domain/links/query/filter.js";
import type { InviteLinkOrder, InviteLinkOrderField } from "../../domain/links/query/order.js";

// How much a filter adds to the cost of a list. The unit is the complexity of one field. Under a condition that no index
// serves all links of the channel are read, and once more for each count or sum over all matching links.

/** A condition that neither an index nor a bitmap serves: all rows of the channel are read. */
export const SCAN_COST = 100;
/** A tag group. PostgreSQL's planning time grows with the number of groups. */
const GROUP_COST = 100;
/** A tag of a group: its links are read. */
const TAG_COST = 2;
/** The number of ids in a filter that cost as much as one field. */
const IDS_PER_FIELD = 100;
/** The number of rows before a page by number that cost as much as one field. */
const SKIPPED_ROWS_PER_FIELD = 2_000;

/** The number of conditions that no index serves. An index serves a period of time, but all links can lie in the period. */
function scansOf(filter: InviteLinkFilter): number {
  const { name, creatorId, isRevoked, isExpired, isBotCreated, createdFrom, createdTo } = filter;
  const { search, minJoinCount, hasPendingJoinRequests } = filter;
  const period = createdFrom ?? createdTo;
  const ofLinks = [name || null, search || null, creatorId, isRevoked, isExpired, isBotCreated, period];
  const conditions = [...ofLinks, minJoinCount, hasPendingJoinRequests];
  return conditions.filter((condition) => condition != null).length;
}

/** The cost that a filter of links adds to its list. */
export function filterCost(filter: InviteLinkFilter | null | undefined): number {
  if (!filter) return 0;
  const groups = filter.tagGroups ?? [];
  const tags = groups.reduce((sum, { tagIds }) => sum + (tagIds?.length ?? 0), 0);
  const named = (filter.ids?.length ?? 0) + (filter.externalIds?.length ?? 0);
  const ids = Math.ceil(named / IDS_PER_FIELD);
  return SCAN_COST * scansOf(filter) + GROUP_COST * groups.length + TAG_COST * tags + ids;
}

/** The cost of a page by number for the rows before the page: at most the cost of a scan. */
export const depthCost = (page: number | null | undefined, size: number): number =>
  Math.min(SCAN_COST, Math.ceil((Math.max(0, (page ?? 1) - 1) * size) / SKIPPED_ROWS_PER_FIELD));

/** Counters of links by which PostgreSQL sorts all links of the channel. */
const SORTED: readonly InviteLinkOrderField[] = ["ACTIVE_COUNT", "LAST_JOIN_AT"];

/** The cost of an order: no index serves an order by several fields, and the counters of links have one for joins alone. */
export const orderCost = (orderBy: readonly InviteLinkOrder[] | null | undefined): number =>
  orderBy && (orderBy.length > 1 || orderBy.some(({ field }) => SORTED.includes(field))) ? SCAN_COST : 0;

/** The cost of conditions of which each is about every row; one that is absent or null costs nothing. */
const scansFor = (...conditions: readonly unknown[]): number =>
  SCAN_COST * conditions.filter((condition) => condition != null).length;

/** The cost that a filter of member events adds. Links and persons have an index; the other conditions are about each event. */
export function eventFilterCost(filter: MemberEventFilter | null | undefined): number {
  const { kinds, occurredFrom, occurredTo } = filter ?? {};
  return scansFor(kinds, occurredFrom ?? occurredTo);
}

/** The cost that a filter of join requests adds. An index serves the order by time; the other conditions are about each request. */
export function requestFilterCost(filter: JoinRequestFilter | null | undefined): number {
  const { states, inviteLinkIds } = filter ?? {};
  return scansFor(states, inviteLinkIds);
}

/**
 * The cost that a filter of audit entries adds. A subject has few entries, and channels and times have an index; of the entries
 * of channels, the other conditions are about each.
 */
export function auditFilterCost(filter: AuditFilter | null | undefined): number {
  const { subjectId, caller, actions } = filter ?? {};
  return subjectId == null ? scansFor(caller, actions) : 0;
}

/** The additional cost of each count or sum over all rows of a list, by the list's arguments. */
const SCANS: Readonly<Record<string, (args: Record<string, unknown>) => number>> = {
  // Bitmaps count tag groups, which the cost of the list includes already.
  inviteLinks: ({ filter }) => SCAN_COST * scansOf((filter ?? {}) as InviteLinkFilter),
  memberEvents: ({ filter }) => eventFilterCost(filter as MemberEventFilter | null | undefined),
  auditEntries: ({ filter }) => auditFilterCost(filter as AuditFilter | null | undefined),
  joinRequests: ({ filter }) => requestFilterCost(filter as JoinRequestFilter | null | undefined),
  tags: ({ name }) => (name ? SCAN_COST : 0),
};
/** What is computed over all rows of a list, once however often it is selected. */
const SHARED: readonly string[] = ["totalCount", "facets"];
/** What is computed again for each of its aliases, which can have other arguments. */
const REPEATED: readonly string[] = ["groups", "series"];
/** The statements that a field of `totals` needs. All other fields need the members' numbers. */
const TOTALS: Readonly<Record<string, readonly string[]>> = {
  __typename: [],
  budget: ["budget"],
  costPerJoin: ["budget", "members"],
  costPerActiveMember: ["budget", "members"],
  retention: ["retention"],
};

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** The selected fields of one level by their response keys. A fragment counts once. */
function fieldsOf(sets: readonly SelectionSetNode[], fragments: Fragments): Map<string, FieldNode[]> {
  const fields = new Map<string, FieldNode[]>();
  const visited = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const key = (selection.alias ?? selection.name).value;
        fields.set(key, [...(fields.get(key) ?? []), selection]);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        collect(selection.selectionSet);
      } else if (!visited.has(selection.name.value)) {
        visited.add(selection.name.value);
        const fragment = fragments.get(selection.name.value);
        if (fragment) collect(fragment.selectionSet);
      }
    }
  };
  sets.forEach(collect);
  return fields;
}

const below = (nodes: readonly FieldNode[], fragments: Fragments): Map<string, FieldNode[]> =>
  fieldsOf(
    nodes.flatMap(({ selectionSet }) => selectionSet ?? []),
    fragments,
  );

/** The statements that read all rows of a list for the fields of its connection. */
function statementsOf(connection: readonly FieldNode[], fragments: Fragments): ReadonlySet<string> {
  const statements = new Set<string>();
  for (const [key, nodes] of below(connection, fragments)) {
    const name = nodes[0]?.name.value ?? "";
    const selected = [...below(nodes, fragments).values()];
    if (SHARED.includes(name)) statements.add(name);
    if (REPEATED.includes(name)) statements.add(`${name} ${key}`);
    if (name === "totals") {
      for (const [field] of selected) {
        for (const one of TOTALS[field?.name.value ?? ""] ?? ["members"]) statements.add(`totals ${one}`);
      }
    }
    // The other totals of groups come with the groups.
    if (name === "groups") {
      const totals = below(
        selected.flat().filter((field) => field.name.value === "totals"),
        fragments,
      );
      const names = [...totals.values()].map(([field]) => field?.name.value);
      if (names.includes("retention")) statements.add(`retention ${key}`);
    }
  }
  return statements;
}

/**
 * The cost of an operation's counts and sums that results from the filters of their lists. Only lists of the
 * root have filters. The complexity of a field itself does not depend on the arguments of the fields above it.
 */
export function computedUnderFilters(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: readonly FragmentDefinitionNode[],
  variables: Record<string, unknown>,
): number {
  const byName = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
  const root = schema.getRootType(operation.operation)?.getFields() ?? {};
  let cost = 0;
  for (const nodes of fieldsOf([operation.selectionSet], byName).values()) {
    const [node] = nodes;
    const scans = node && SCANS[node.name.value];
    const field = node && root[node.name.value];
    if (!scans || !field) continue;
    const each = scans(getArgumentValues(field, node, variables));
    if (each === 0) continue;
    cost += each * statementsOf(nodes, byName).size;
  }
  return cost;
}
