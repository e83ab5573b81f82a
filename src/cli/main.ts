#!/usr/bin/env node
// The command `invite-links`. Each subcommand has a file of its own, which imports its dependencies when the subcommand is
// run, so that --help and `telegram` start quickly.

import { Command, CommanderError } from "commander";
import { ValidationError } from "../domain/shared/errors.js";
import { versionOfPackage } from "../version.js";
import { createCommand } from "./create.js";
import { eraseMemberCommand } from "./eraseMember.js";
import { messageOf, toLine, UsageError } from "./errors.js";
import { exportCommand } from "./export.js";
import { importCommand } from "./import.js";
import { migrateCommand } from "./migrate.js";
import { allowReadersToEnd, note } from "./output.js";
import { recountCommand } from "./recount.js";
import { serveCommand } from "./serve.js";
import { telegramCommand } from "./telegram.js";
import { tokenCommand } from "./token.js";

const COMMANDS = [
  serveCommand,
  telegramCommand,
  tokenCommand,
  migrateCommand,
  createCommand,
  importCommand,
  exportCommand,
  recountCommand,
  eraseMemberCommand,
];

const FAILED = 1;
const WRONG_USAGE = 2;

const HELP = `
Exit codes: 0 success, 1 refused or failed, 2 wrong usage.
The output is text on a terminal, and JSON otherwise.

Examples:
  $ invite-links serve
  $ invite-links telegram CreateInvitationLink --help
  $ invite-links token create --name "Reports" --role VIEWER`;

/** Applies the program's settings to a command and its subcommands. */
function inheritSettings(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inheritSettings(child, command);
}

function commandLine(): Command {
  const program = new Command("invite-links")
    .description("Manage the invite links of Telegram channels: run the server, or use a command without it.")
    .version(versionOfPackage())
    .addHelpText("after", HELP)
    .exitOverride()
    // Options after a subcommand belong to the subcommand, even if the program has an option of that name.
    .enablePositionalOptions()
    .configureOutput({ outputError: (message, write) => write(`${toLine(message)}\n`) });
  for (const make of COMMANDS) {
    const command = make();
    program.addCommand(command);
    inheritSettings(command, program);
  }
  return program;
}

/** Hides the secrets of the environment in a text. */
async function withoutSecrets(text: string): Promise<string> {
  const { hiding, secretForms } = await import("../log.js");
  const { secretsOf } = await import("../config.js");
  const tokens = ["INVITE_LINKS_IMPORT_TOKEN", "INVITE_LINKS_TOKEN"].map((name) => process.env[name]?.trim());
  return hiding([...tokens, ...secretsOf(process.env)].flatMap(secretForms))(text);
}

/** Prints an error, unless commander has printed it already, and returns the exit code. */
async function report(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  note(`error: ${toLine(await withoutSecrets(messageOf(error)))}`);
  return error instanceof UsageError || error instanceof ValidationError ? WRONG_USAGE : FAILED;
}

allowReadersToEnd();
try {
  await commandLine().parseAsync();
} catch (error) {
  process.exitCode = await report(error);
}
