/** The greatest id of a chat or user, whatever its sign: Telegram's have at most 52 significant bits. */
export const MAX_TELEGRAM_ID = 2 ** 52 - 1;

/** Whether a number can be the id of a chat or user. */
export const isTelegramId = (id: number): boolean =>
  Number.isInteger(id) && id !== 0 && Math.abs(id) <= MAX_TELEGRAM_ID;

/** The id that a decimal text is; null where it is none. */
export function telegramIdOf(text: string): number | null {
  const id = /^-?\d{1,16}$/.test(text) ? Number(text) : 0;
  return isTelegramId(id) ? id : null;
}
