/** The greatest id of a chat or user, whatever its sign: Telegram's have at most 52 significant bits. */
export const MAX_TELEGRAM_ID = 2 ** 52 - 1;
