// Setup file of the unit project (vitest.config.mjs): everything that a unit test must not do throws here, so that the
// unit run stays fast and needs no port, no database and no build.

import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

const refuse = (what: string) => () => {
  throw new Error(
    `A unit test must not ${what}. Name the file *.test.ts instead of *.unit.test.ts where the test needs to.`,
  );
};

net.Server.prototype.listen = refuse("open a server");
net.Socket.prototype.connect = refuse("open a connection");
for (const name of ["spawn", "spawnSync", "exec", "execSync", "execFile", "execFileSync", "fork"] as const) {
  childProcess[name] = refuse("start a process") as never;
}
// Makes the named imports of these modules see the replacements.
syncBuiltinESMExports();
