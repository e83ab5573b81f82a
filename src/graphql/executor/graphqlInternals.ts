// The parts of graphql-js 16 that are not in its public interface. Version 17 moves them: only this file imports them.

export { collectFields, collectSubfields } from "graphql/execution/collectFields.js";
export { getFieldDef } from "graphql/execution/execute.js";
export { inspect } from "graphql/jsutils/inspect.js";
export { isIterableObject } from "graphql/jsutils/isIterableObject.js";
export { addPath, type Path, pathToArray } from "graphql/jsutils/Path.js";
