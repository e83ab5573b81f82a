import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getArgumentValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";
import type { InviteLinkFilter } from "../../domain/links/query/filter.js";

// What a filter makes a list cost. The unit is the complexity of one field. All links of the channel are read under a
// condition that no index serves, and once more for each thing that is computed over all that match.

/** A condition that no index and no bitmap serves: all rows of the channel are looked at. */
export const SCAN_COST = 100;
/** A group of tags: the more there are, the longer the database looks for how to find their links. */
const GROUP_COST = 100;
/** Each tag of a group: its links are read. */
const TAG_COST = 2;
/** As many links that are named by their ids cost as much as one field. */
const IDS_FOR_ONE = 100;
/** As many rows that a page by number passes by cost as much as one field. */
const PASSED_BY_FOR_ONE = 2_000;

/** The conditions of a filter that no index serves. A period of time has one, but all links can be in it. */
function scansOf(filter: InviteLinkFilter): number {
  const { name, creatorId, isRevoked, isExpired, isBotCreated, createdFrom, createdTo } = filter;
  const period = createdFrom ?? createdTo;
  const conditions = [name || null, creatorId, isRevoked, isExpired, isBotCreated, period];
  return conditions.filter((condition) => condition != null).length;
}

/** What a filter of links adds to the cost of its list. */
export function filterCost(filter: InviteLinkFilter | null | undefined): number {
  if (!filter) return 0;
  const groups = filter.tagGroups ?? [];
  const tags = groups.reduce((sum, { tagIds }) => sum + (tagIds?.length ?? 0), 0);
  const ids = Math.ceil((filter.ids?.length ?? 0) / IDS_FOR_ONE);
  return SCAN_COST * scansOf(filter) + GROUP_COST * groups.length + TAG_COST * tags + ids;
}

/** What a page by number costs for the rows that it passes by: at the most what a scan costs. */
export const depthCost = (page: number | null | undefined, size: number): number =>
  Math.min(SCAN_COST, Math.ceil((Math.max(0, (page ?? 1) - 1) * size) / PASSED_BY_FOR_ONE));

/** What an order costs: by several things no index serves it. */
export const orderCost = (orderBy: readonly unknown[] | null | undefined): number =>
  (orderBy?.length ?? 0) > 1 ? SCAN_COST : 0;

/** What each computation over all rows of a list costs besides, by the list's arguments. */
const SCANS: Readonly<Record<string, (args: Record<string, unknown>) => number>> = {
  // Tag groups alone are counted by bitmaps, and are paid for with the list.
  inviteLinks: ({ filter }) => SCAN_COST * scansOf((filter ?? {}) as InviteLinkFilter),
  tags: ({ name }) => (name ? SCAN_COST : 0),
};
const COMPUTED: readonly string[] = ["totalCount", "totals", "facets"];

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** The fields that are selected at one level, by the names of their answers; a fragment counts once. */
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

/**
 * What an operation's totalCount, totals and facets cost because of the filters above them. Only lists of the root take
 * a filter. Beside the complexity of the fields themselves, which knows nothing of the arguments above a field.
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
    const below = fieldsOf(
      nodes.flatMap(({ selectionSet }) => selectionSet ?? []),
      byName,
    );
    const computed = new Set([...below.values()].flatMap((selected) => selected[0]?.name.value ?? []));
    cost += each * COMPUTED.filter((name) => computed.has(name)).length;
  }
  return cost;
}
