import { useLocation } from "wouter";
import { useI18n } from "../../i18n/index.js";
import { AddBot } from "../../parts/AddBot.js";
import { ConnectForm } from "../../parts/ConnectForm.js";
import { useChannels } from "../../parts/useChannels.js";
import { addressFor } from "../../shell/channel.js";
import { Step } from "./Step.js";

/** No subscription tells of new channels. The query is cheap, and only this page sends it, while it is visible. */
const ASK_EVERY_MS = 3000;

/** What there is to do while there is no channel. Telegram tells the server when the bot is added to one. */
export function FirstSteps() {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  // As soon as there is a channel, the shell shows the page with it.
  useChannels(ASK_EVERY_MS);
  return (
    <ol className="steps">
      <Step number={1} title={t("start.bot")} state="now">
        <AddBot />
        <p role="status" className="waiting">
          {t("start.waitingForBot")}
        </p>
      </Step>
      <Step number={2} title={t("start.channel")} state="now">
        <p className="muted">{t("start.channelHint")}</p>
        <ConnectForm onConnected={({ telegramId }) => navigate(addressFor("/start", telegramId))} />
      </Step>
      <Step number={3} title={t("start.types")} state="later" />
      <Step number={4} title={t("start.link")} state="later" />
      <Step number={5} title={t("start.member")} state="later" />
    </ol>
  );
}
