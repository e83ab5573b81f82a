import { useI18n } from "../i18n/index.js";

/** How a person is called: the server knows the Telegram user id alone, and of an erased person not even that. */
export function usePerson(): (userId: number) => string {
  const { t } = useI18n();
  // An id is no amount, so its digits are not grouped.
  return (userId) => (userId < 0 ? t("link.erased") : t("link.user", { id: String(userId) }));
}
