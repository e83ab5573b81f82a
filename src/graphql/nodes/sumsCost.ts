import {
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getNullableType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";
import { LIST_MULTIPLIER } from "../builder/builder.js";

// The cost of sums over all links of a list, which are fields of the list's connection. The complexity plugin multiplies
// all fields of a connection by the size of the page, though such a sum is read once. These fields therefore cost nothing
// there, and are counted here: multiplied by the lists around their own list alone.

type Args = Readonly<Record<string, unknown>>;

const SUM = "costOfSum";

/**
 * The extension and the complexity of a field of a connection that is read once, whatever the size of the page. Such fields
 * below it are read once as well, also where it is a list.
 */
export const readOnce = (cost: (args: never) => number) => ({
  extensions: { [SUM]: cost },
  complexity: { field: 0, multiplier: 0 },
});

/** The extension of a field that has fields below it that are read once. */
export const holdsSums = { [SUM]: () => 0 };

const sumOf = (field: GraphQLField<unknown, unknown>): ((args: Args) => number) | undefined =>
  field.extensions[SUM] as ((args: Args) => number) | undefined;

/** By how much the complexity plugin multiplies what is selected of a field. */
function multiplierOf(field: GraphQLField<unknown, unknown>, argsOf: () => Args): number {
  const given = field.extensions["complexity"];
  const complexity = typeof given === "function" ? (given(argsOf(), {}, field) as unknown) : given;
  if (typeof complexity === "object" && complexity !== null && "multiplier" in complexity)
    return Math.max(0, Number(complexity.multiplier));
  return isListType(getNullableType(field.type)) ? LIST_MULTIPLIER : 1;
}

interface SumsCost {
  /** Of sums that are fields of this very object. */
  own: number;
  /** Of sums below. */
  below: number;
}

/** The cost of all sums that an operation selects. */
export function costOfSums(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: readonly FragmentDefinitionNode[],
  variables: Record<string, unknown>,
): number {
  const byName = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
  /** A fragment that is spread several times is counted as often, but looked through once. */
  const known = new Map<SelectionSetNode, Map<GraphQLNamedType, SumsCost>>();

  const costOf = (set: SelectionSetNode, type: GraphQLNamedType): SumsCost => {
    const found = known.get(set)?.get(type);
    if (found) return found;
    const cost: SumsCost = { own: 0, below: 0 };
    for (const selection of set.selections) {
      if (selection.kind !== Kind.FIELD) {
        const part = selection.kind === Kind.INLINE_FRAGMENT ? selection : byName.get(selection.name.value);
        const condition = part?.typeCondition && schema.getType(part.typeCondition.name.value);
        if (!part) continue;
        const { own, below } = costOf(part.selectionSet, condition ?? type);
        cost.own += own;
        cost.below += below;
        continue;
      }
      const field =
        isObjectType(type) || isInterfaceType(type) ? type.getFields()[selection.name.value] : undefined;
      if (!field) continue;
      const argsOf = () => getArgumentValues(field, selection, variables);
      const sum = sumOf(field);
      cost.own += sum?.(argsOf()) ?? 0;
      if (!selection.selectionSet) continue;
      const { own, below } = costOf(selection.selectionSet, getNamedType(field.type));
      if (sum) cost.own += own;
      else if (own + below > 0) cost.below += own + below * multiplierOf(field, argsOf);
    }
    const ofSet = known.get(set) ?? new Map<GraphQLNamedType, SumsCost>();
    known.set(set, ofSet.set(type, cost));
    return cost;
  };

  const root = schema.getRootType(operation.operation);
  return root ? costOf(operation.selectionSet, root).below : 0;
}
