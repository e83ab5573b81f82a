import { type Caller, NAMES_WITHOUT_TOKEN } from "../domain/shared/caller.js";

/** The command line has all rights, because its user can write to the database anyway. */
export const CALLER: Caller = {
  key: "cli",
  name: NAMES_WITHOUT_TOKEN.cli,
  role: "ADMIN",
  chatIds: null,
  telegramUserId: null,
};
