import { Problems } from "../../domain/shared/errors.js";
import { parseGlobalId } from "../../domain/shared/ids.js";

/** As the relay plugin has it. */
interface NodeId {
  readonly typename: string;
  readonly id: string;
}

/** In the place of a type's name where a text is no global id. */
const UNREADABLE = "";
/** Characters of a refused id that are repeated to the caller. */
const MAX_SHOWN = 64;

/**
 * What a global id given to `node` or `nodes` names. The plugin decodes each id without its place in the request, so that
 * one that cannot be read is only marked here, and refused by checkNodeIds.
 */
export function decodeNodeId(text: string): { typename: string; id: string } {
  const parsed = parseGlobalId(text);
  return parsed === null ? { typename: UNREADABLE, id: text } : { typename: parsed.kind, id: parsed.id };
}

/**
 * Refuses decoded ids that were no global ids.
 * @param ids each with its path in the arguments.
 * @throws ValidationError
 */
export function checkNodeIds(ids: readonly (readonly [field: string, id: NodeId])[]): void {
  const problems = new Problems();
  for (const [field, { typename, id }] of ids) {
    if (typename !== UNREADABLE) continue;
    const shown = id.length > MAX_SHOWN ? `${id.slice(0, MAX_SHOWN)}…` : id;
    problems.add(field, `${JSON.stringify(shown)} is no global id that this server gave out.`);
  }
  problems.check();
}
