/** Wrong arguments, which give the exit code 2. All other errors give 1. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A bot token anywhere in a text, such as in a mistyped option that commander repeats. */
const BOT_TOKEN = /\d{3,}(:|%3A)[\w-]{6,}/gi;

/** Puts a message on one line and hides bot tokens. */
export const toLine = (message: string): string =>
  message.replace(/\s+/g, " ").trim().replace(BOT_TOKEN, "[secret]");
