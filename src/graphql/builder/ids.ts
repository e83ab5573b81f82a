import { Problems } from "../../domain/shared/errors.js";
import { parseGlobalId } from "../../domain/shared/ids.js";

/** A decoded global id, in the form of the relay plugin. */
interface NodeId {
  readonly typename: string;
  readonly id: string;
}

/** Stands for the type's name if a text is not a global id. */
const UNREADABLE = "";
/** Characters of a refused id that the error message repeats. */
const MAX_SHOWN = 64;

/**
 * Decodes a global id for `node` and `nodes`. The relay plugin does not say where in the request the id stands, so a text
 * that is not a global id is only marked here; checkNodeIds refuses it with its path.
 */
export function decodeNodeId(text: string): { typename: string; id: string } {
  const parsed = parseGlobalId(text);
  return parsed === null ? { typename: UNREADABLE, id: text } : { typename: parsed.kind, id: parsed.id };
}

/**
 * @param ids decoded ids, each with its path in the arguments.
 * @throws ValidationError for texts that were not global ids.
 */
export function checkNodeIds(ids: readonly (readonly [field: string, id: NodeId])[]): void {
  const problems = new Problems();
  for (const [field, { typename, id }] of ids) {
    if (typename !== UNREADABLE) continue;
    const shown = id.length > MAX_SHOWN ? `${id.slice(0, MAX_SHOWN)}…` : id;
    problems.add(field, `${JSON.stringify(shown)} is not a global id of this server.`);
  }
  problems.check();
}
