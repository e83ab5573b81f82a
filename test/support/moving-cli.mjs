// Runs the built commands import and export alone, as the package's command does.

import { Command, CommanderError } from "commander";
import { toLine, UsageError } from "../../dist/cli/errors.js";
import { exportCommand } from "../../dist/cli/export.js";
import { importCommand } from "../../dist/cli/import.js";

const program = new Command("invite-links").exitOverride();
for (const command of [importCommand(), exportCommand()]) {
  command.copyInheritedSettings(program);
  program.addCommand(command);
}
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`error: ${toLine(error.message)}\n`);
  const isUsage = error instanceof UsageError || (error instanceof CommanderError && error.exitCode !== 0);
  process.exitCode = isUsage ? 2 : error instanceof CommanderError ? 0 : 1;
}
