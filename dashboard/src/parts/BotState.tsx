import { useContext } from "react";
import { type FragmentType, graphql, read } from "../api/gql/index.js";
import { useCountdown } from "../api/problems.js";
import { useI18n } from "../i18n/index.js";
import { ChannelContext } from "../shell/channel.js";
import { Icon } from "../ui/Icon.js";
import { Problem } from "../ui/Problem.js";
import { useConnect } from "./useConnect.js";
import "./parts.css";

export const BOT_STATE = graphql(`
  fragment BotState on Channel {
    id
    telegramId
    botStatus
  }
`);

/** What the bot may do in a channel, what is missing, and a button that asks Telegram again. */
export function BotState(props: {
  readonly channel: FragmentType<typeof BOT_STATE>;
  /** Whether Telegram can be asked again even though nothing is missing. */
  readonly checksAlways?: boolean;
}) {
  const { channel, checksAlways = false } = props;
  const { t } = useI18n();
  const { telegramId, botStatus } = read(BOT_STATE, channel);
  const isAdmin = useContext(ChannelContext)?.isAdmin ?? false;
  const { problem, isBusy, connect } = useConnect();
  const secondsLeft = useCountdown(problem);
  const isReady = botStatus === "READY";
  return (
    <div className="bot-state">
      <p role="status" className="bot-status" data-ready={isReady}>
        <Icon name={isReady ? "check" : "alert"} /> {t(`parts.bot.${botStatus}`)}
      </p>
      {!isReady && <p className="small muted">{t(`parts.botHow.${botStatus}`)}</p>}
      {problem && <Problem problem={problem} />}
      {isAdmin && (checksAlways || !isReady) && (
        <button
          type="button"
          className="slim"
          aria-disabled={isBusy || secondsLeft > 0}
          onClick={() => secondsLeft === 0 && void connect(String(telegramId))}
        >
          {isBusy ? t("parts.checking") : t("bot.check")}
        </button>
      )}
    </div>
  );
}
