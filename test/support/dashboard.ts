import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BUILD = fileURLToPath(new URL("../../tools/dashboard.mjs", import.meta.url));

/** Builds the dashboard into dist/, which takes almost no time if it is up to date. */
export const buildDashboard = async (): Promise<void> => {
  await promisify(execFile)(process.execPath, [BUILD]);
};
