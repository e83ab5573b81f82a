import { InvalidArgumentError } from "commander";
import { parseChatId, parseUserId } from "../parsers/telegramId.js";
import { UnreadableValueError } from "../parsers/unreadable.js";

/** Makes a parser one of an option's values. */
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

/** A channel's or group's id, as an option has it. */
export const chatIdOption = option(parseChatId);

/** A user's id, as an option has it. */
export const userIdOption = option(parseUserId);
