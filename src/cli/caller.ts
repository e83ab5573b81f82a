import type { Caller } from "../domain/shared/caller.js";

/** The command line has all rights, because its user can write to the database anyway. */
export const CALLER: Caller = {
  key: "cli",
  name: "Command line",
  role: "ADMIN",
  chatIds: null,
  telegramUserId: null,
};
