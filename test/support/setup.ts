// Setup file of every Vitest project: runs before each test file.

import { reportProperties } from "./properties.js";

reportProperties();
