/** Characters of a description of Telegram that is passed on. */
const MAX_DESCRIPTION = 300;

/** Makes texts of Telegram safe to show: without the bot token, and of limited length. */
export const showableWithout =
  (token: string) =>
  (description: string): string =>
    description.replaceAll(token, "[secret]").slice(0, MAX_DESCRIPTION).toWellFormed().replaceAll("\0", " ");
