import { getSystemErrorMap } from "node:util";
import { terminalText } from "../terminalText.js";

/** Wrong arguments, which give the exit code 2. All other errors give 1. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A bot token anywhere in a text, such as in a mistyped option that commander repeats. */
const BOT_TOKEN = /\d{3,}(:|%3A)[\w-]{6,}/gi;

/** Puts a message on one line and hides bot tokens. */
export const toLine = (message: string): string =>
  terminalText(message.replace(/\s+/g, " ").trim().replace(BOT_TOKEN, "[secret]"));

/** What an error says. An error of the operating system about a file names the file and the reason, without the call. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno, path } = error as NodeJS.ErrnoException;
  if (errno === undefined || path === undefined) return error.message;
  const [, reason] = getSystemErrorMap().get(errno) ?? [];
  return reason === undefined ? error.message : `${path}: ${reason}`;
}
