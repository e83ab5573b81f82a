import { fastPaths } from "../../../fastPaths.js";
import { bitmaps } from "./bitmaps.js";
import { type CountStatements, rowCounts } from "./rowCounts.js";

export const countStatements: CountStatements = fastPaths.bitmaps ? bitmaps : rowCounts;
