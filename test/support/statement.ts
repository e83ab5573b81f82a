// The tag of statements that tests run themselves.

import { statement } from "../../src/database/statement.js";

/** Hand-written SQL of a test, for the functions that accept only statements with a name. */
export const testStatement = statement("test");
