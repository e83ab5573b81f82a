import { writeFileSync } from "node:fs";
import { printedSchema } from "./schema.js";

// `npm run schema`: brings schema.graphql up to date with the code.
writeFileSync(new URL("../../schema.graphql", import.meta.url), printedSchema());
