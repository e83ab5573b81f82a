import { useMutation } from "@apollo/client/react";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Icon } from "../../ui/Icon.js";
import { Problem } from "../../ui/Problem.js";

const BOT_NOTICE = graphql(`
  fragment BotNotice on Channel {
    id
    botStatus
  }
`);

/** Reads the bot's rights anew from Telegram. */
const CHECK = graphql(`
  mutation CheckBot($input: ConnectChannelInput!) {
    connectChannel(input: $input) {
      __typename
      ... on ConnectChannelSuccess {
        channel {
          ...BotNotice
        }
      }
      ...Problem
    }
  }
`);

/** Says so where the bot cannot create links. */
export default function BotNotice(props: { readonly channel: FragmentType<typeof BOT_NOTICE> }) {
  const { t } = useI18n();
  const { channelId, isAdmin } = useChannel();
  const { botStatus } = read(BOT_NOTICE, props.channel);
  const [check] = useMutation(CHECK);
  const { problem, isBusy, attempt } = useAttempt();
  if (botStatus === "READY" || botStatus === "UNKNOWN") return null;
  const checkAgain = () =>
    attempt(async () => {
      const { data } = await check({ variables: { input: { chat: String(channelId) } } });
      const result = requireResult(data?.connectChannel);
      return result.__typename === "ConnectChannelSuccess" ? null : result;
    });
  return (
    <>
      <div role="status" className="problem" data-testid="bot">
        <Icon name="alert" />
        <span className="spring">{t(`bot.${botStatus}`)}</span>
        {isAdmin && (
          <button type="button" aria-disabled={isBusy} onClick={checkAgain}>
            {t("bot.check")}
          </button>
        )}
      </div>
      {problem && <Problem problem={problem} />}
    </>
  );
}
