import { Command } from "commander";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { print } from "./output.js";

export const migrateCommand = (): Command =>
  new Command("migrate")
    .description("Apply the migrations that the database lacks; the server does so by itself at its start.")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText("after", '\nIn a pipe the output is JSON: {"applied": ["…"]}.')
    .action(() =>
      withDatabase("it applied the migrations when it started.", async ({ migrations }) => {
        const done = migrations.map((name) => `Applied ${name}`).join("\n");
        print({ applied: migrations }, done || "Nothing to do: the database is up to date.");
      }),
    );
