import { InvalidArgumentError } from "commander";
import { parseChatId, parseUserId } from "../parsers/telegramId.js";
import { UnreadableValueError } from "../parsers/unreadable.js";

/** Turns a parser of values into a parser of option values for commander. */
const option =
  <Value>(parse: (text: string) => Value) =>
  (text: string): Value => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof UnreadableValueError)) throw error;
      throw new InvalidArgumentError(`It ${error.message}`);
    }
  };

/** Parses the Telegram id of a channel or group. */
export const chatIdOption = option(parseChatId);

/** Parses the Telegram id of a user. */
export const userIdOption = option(parseUserId);
