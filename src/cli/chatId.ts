import { InvalidArgumentError } from "commander";
import { MAX_TELEGRAM_ID } from "../telegram/ids.js";

/** A channel's or group's id, as an option has it. */
export function parseChatId(text: string): number {
  const id = /^-\d{1,16}$/.test(text) ? Number(text) : 0;
  if (id === 0 || -id > MAX_TELEGRAM_ID) {
    throw new InvalidArgumentError("It must be the id of a channel or group, such as -1001234567890.");
  }
  return id;
}
