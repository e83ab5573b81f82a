import { InvalidArgumentError } from "commander";
import { telegramIdOf } from "../telegram/ids.js";

/** A channel's or group's id, as an option has it. */
export function parseChatId(text: string): number {
  const id = telegramIdOf(text);
  if (id === null || id > 0) {
    throw new InvalidArgumentError("It must be the id of a channel or group, such as -1001234567890.");
  }
  return id;
}
