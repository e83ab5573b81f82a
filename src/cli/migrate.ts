import { Command } from "commander";
import { DATABASE_HELP, withDatabase } from "./database.js";
import { print } from "./output.js";

export const migrateCommand = (): Command =>
  new Command("migrate")
    .description("Apply the missing migrations to the database. The server also does this when it starts.")
    .addHelpText("after", DATABASE_HELP)
    .addHelpText("after", '\nIn a pipe the output is JSON: {"applied": ["…"]}.')
    .action(() =>
      withDatabase("The server applied the migrations when it started.", async ({ migrations }) => {
        const done = migrations.map((name) => `Applied ${name}`).join("\n");
        print({ applied: migrations }, done || "The database is up to date; no migration was applied.");
      }),
    );
