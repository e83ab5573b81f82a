/** Arguments that cannot be meant: exit code 2. Anything else that is thrown is 1. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A bot token as it could stand in any text, such as a mistyped option that commander repeats. */
const BOT_TOKEN = /\d{3,}(:|%3A)[\w-]{6,}/gi;

/** A message in one line, without a bot token. */
export const toLine = (message: string): string =>
  message.replace(/\s+/g, " ").trim().replace(BOT_TOKEN, "[secret]");
