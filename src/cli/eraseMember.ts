import { Command } from "commander";
import { CALLER } from "./caller.js";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { userIdOption } from "./idOptions.js";
import { print } from "./output.js";

const run = ({ user }: { readonly user: number }): Promise<void> =>
  withDatabase("Use the server's mutation eraseMember instead.", async ({ database }) => {
    const { eraseMember } = await import("../domain/members/eraseMember.js");
    const { eventCount } = await eraseMember(database, CALLER, { userId: user });
    print(
      { eventCount },
      `The person was erased from ${eventCount} member events and everything else that is stored.`,
    );
  });

export const eraseMemberCommand = (): Command =>
  new Command("erase-member")
    .description("Erase a person: the Telegram id goes from everything that is stored, and all counts stay.")
    .requiredOption("--user <id>", "the person's Telegram id", userIdOption)
    .addHelpText("after", DATABASE_HELP)
    .addHelpText(
      "after",
      `
A negative number, which stands for that person alone, takes the place of the id. Someone who comes back afterwards is
new. In a pipe the output is JSON: {"eventCount": …}, with the number of member events of the person.

Example:
  $ invite-links erase-member --user 123456789`,
    )
    .action(run);
