import { ValidationError } from "../domain/errors.js";
import { parseGlobalId } from "../domain/ids.js";

/**
 * What a global id given to `node` or `nodes` names.
 * @throws ValidationError where it is none.
 */
export function decodeNodeId(text: string): { typename: string; id: string } {
  const parsed = parseGlobalId(text);
  if (parsed === null) {
    throw new ValidationError([{ field: "id", message: "This is no global id that this server gave out." }]);
  }
  return { typename: parsed.kind, id: parsed.id };
}
