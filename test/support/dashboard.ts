import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BUILD = fileURLToPath(new URL("../../tools/dashboard.mjs", import.meta.url));

/** Costs next to nothing where it is built already, as `npm test` does first. */
export const buildDashboard = async (): Promise<void> => {
  await promisify(execFile)(process.execPath, [BUILD]);
};
