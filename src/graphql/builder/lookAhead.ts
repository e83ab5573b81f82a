import { type FieldNode, type GraphQLResolveInfo, Kind, type SelectionSetNode } from "graphql";

type Fragments = GraphQLResolveInfo["fragments"];

/** Whether a selection set has a field with its own fields along a path. A field that `@skip` leaves out counts as well. */
function reaches(set: SelectionSetNode | undefined, path: readonly string[], fragments: Fragments): boolean {
  const [name, ...below] = path;
  if (name === undefined) return true;
  return (set?.selections ?? []).some((selection) => {
    if (selection.kind === Kind.FIELD)
      return selection.name.value === name && reaches(selection.selectionSet, below, fragments);
    const part = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
    return reaches(part?.selectionSet, path, fragments);
  });
}

/**
 * Tells whether one of some paths of fields is selected of a field's value, so that one statement can read all of it. The
 * answer is kept with the document, which is kept between requests.
 */
export function lookAhead(...paths: readonly (readonly string[])[]): (info: GraphQLResolveInfo) => boolean {
  const known = new WeakMap<FieldNode, boolean>();
  return ({ fieldNodes, fragments }) =>
    fieldNodes.some((node) => {
      let found = known.get(node);
      if (found === undefined) {
        found = paths.some((path) => reaches(node.selectionSet, path, fragments));
        known.set(node, found);
      }
      return found;
    });
}
