import { useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import type { StartQuery } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { AddBot } from "../../parts/AddBot.js";
import { BOT_STATE, BotState } from "../../parts/BotState.js";
import { CopyField } from "../../parts/CopyField.js";
import { Loading } from "../../parts/Loading.js";
import { addressFor, useChannel } from "../../shell/channel.js";
import { LazyDialog } from "../../shell/LazyDialog.js";
import { Icon } from "../../ui/Icon.js";
import { lazyPart } from "../../ui/lazyPart.js";
import { Name } from "../../ui/Name.js";
import { TagChip } from "../../ui/TagChip.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import { Step, type StepState } from "./Step.js";
import { TypesForm } from "./TypesForm.js";
// The form of a link is the one of the page of links.
import "../../parts/link/link.css";

const CreateLink = lazyPart(() => import("../../parts/link/CreateLink.js"));
const QrDialog = lazyPart(() => import("../../parts/link/QrDialog.js"));

/** The channel, and its newest link of the bot's by which people can join. */
const START = graphql(`
  query Start($channelId: TelegramID!) {
    viewer {
      channelIds
    }
    channel(telegramId: $channelId) {
      id
      currency
      ...BotState
    }
    tagTypes {
      id
      name
    }
    inviteLinks(
      channelId: $channelId
      filter: { isBotCreated: true, isRevoked: false, isExpired: false }
      first: 1
    ) {
      nodes {
        id
        name
        url
        tags {
          id
          ...TagChip
        }
        stats {
          joinCount
          joinRequestCount
        }
      }
      facets {
        ...TagChoice
      }
    }
  }
`);

/**
 * No subscription tells of the bot's rights. Until the first member has come, everything is asked for while the page is
 * visible.
 */
const ASK_EVERY_MS = 3000;

/** What there is to do in a channel that the server knows, up to the first member. */
export function ChannelSteps() {
  const { t } = useI18n();
  const { channelId, title } = useChannel();
  const [skipsTypes, setSkipsTypes] = useState(false);
  const [isDone, setIsDone] = useState(false);
  const { data, error, refetch } = useQuery(START, {
    variables: { channelId },
    pollInterval: isDone ? 0 : ASK_EVERY_MS,
    skipPollAttempt: () => document.hidden,
  });
  const status = data?.channel && read(BOT_STATE, data.channel).botStatus;
  const isReady = status === "READY";
  const isPresent = status === "READY" || status === "MISSING_PERMISSION";
  const link = data?.inviteLinks.nodes[0];
  const hasLink = link !== undefined;
  const hasTypes = data !== undefined && data.tagTypes.length > 0;
  if ((isReady && hasCame(link)) !== isDone) setIsDone(!isDone);
  const done = [isPresent, isReady, hasTypes || skipsTypes || hasLink, hasLink, hasCame(link)];
  const turn = done.indexOf(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another step's turn may have taken away what had the focus.
  useEffect(() => {
    if (document.activeElement === document.body)
      document.querySelector<HTMLElement>('[aria-current="step"] h2')?.focus();
  }, [turn]);
  if (data === undefined) return <Loading error={error} refetch={refetch} />;

  const { channel, tagTypes, inviteLinks } = data;
  const stateOf = (index: number): StepState => (done[index] ? "done" : index === turn ? "now" : "later");
  return (
    <>
      <ol className="steps">
        <Step number={1} title={t("start.bot")} state={stateOf(0)}>
          {!isPresent && <AddBot />}
        </Step>
        <Step number={2} title={t("start.channel")} state={stateOf(1)}>
          <p className="step-name">
            <Name>{title ?? String(channelId)}</Name>
          </p>
          {channel && <BotState channel={channel} />}
        </Step>
        <Step number={3} title={t("start.types")} state={stateOf(2)}>
          {hasTypes ? (
            <ul className="chips">
              {tagTypes.map(({ id, name }) => (
                <li key={id} className="fact">
                  <Name>{name}</Name>
                </li>
              ))}
            </ul>
          ) : data.viewer.channelIds !== null ? (
            <NotForLimitedTokens onSkip={() => setSkipsTypes(true)} isDone={done[2] === true} />
          ) : (
            !done[2] && isReady && <TypesForm onSkip={() => setSkipsTypes(true)} />
          )}
        </Step>
        <LinkStep
          state={stateOf(3)}
          link={link}
          currency={channel?.currency ?? ""}
          tagChoices={inviteLinks.facets}
        />
        <MemberStep state={stateOf(4)} link={link} />
      </ol>
      {isReady && (
        <p>
          <Link className={turn < 0 ? "button primary" : "button"} href={addressFor("/", channelId)}>
            {t("nothingHere.toLinks")}
          </Link>
        </p>
      )}
    </>
  );
}

type StartLink = StartQuery["inviteLinks"]["nodes"][number];

const hasCame = (link: StartLink | undefined): boolean => link !== undefined && link.stats.joinCount > 0;

function NotForLimitedTokens(props: { readonly onSkip: () => void; readonly isDone: boolean }) {
  const { t } = useI18n();
  if (props.isDone) return null;
  return (
    <>
      <p className="muted">{t("start.typesLimited")}</p>
      <div>
        <button type="button" onClick={props.onSkip}>
          {t("start.skip")}
        </button>
      </div>
    </>
  );
}

function LinkStep(props: {
  readonly state: StepState;
  readonly link: StartLink | undefined;
  readonly currency: string;
  readonly tagChoices: StartQuery["inviteLinks"]["facets"];
}) {
  const { state, link, currency, tagChoices } = props;
  const { t } = useI18n();
  const { dialog, open, close } = useOpenDialog<{ readonly kind: "create" | "qr" }>();
  const name = link?.name ?? t("links.unnamed");
  return (
    <Step number={4} title={t("start.link")} state={state}>
      {state === "now" && (
        <>
          <p className="muted">{t("start.linkHint")}</p>
          <div>
            <button type="button" className="primary" onClick={() => open({ kind: "create" })}>
              <Icon name="plus" /> {t("links.create")}
            </button>
          </div>
        </>
      )}
      {link && (
        <>
          <p className="step-name">
            <Name>{name}</Name>
          </p>
          {link.tags.length > 0 && (
            <span className="chips">
              {link.tags.map((tag) => (
                <TagChip key={tag.id} tag={tag} />
              ))}
            </span>
          )}
          <CopyField label={t("start.address")} value={link.url} />
          <div>
            <button type="button" onClick={() => open({ kind: "qr" })}>
              <Icon name="qr" /> {t("links.qr")}
            </button>
          </div>
        </>
      )}
      {dialog?.kind === "create" && (
        <LazyDialog onClose={close}>
          <CreateLink
            currency={currency}
            tagChoices={tagChoices}
            again={null}
            isHidden={false}
            onShow={() => {}}
            onQr={() => open({ kind: "qr" })}
            onClose={close}
          />
        </LazyDialog>
      )}
      {dialog?.kind === "qr" && link && (
        <LazyDialog onClose={close}>
          <QrDialog url={link.url} name={name} onClose={close} />
        </LazyDialog>
      )}
    </Step>
  );
}

function MemberStep({ state, link }: { readonly state: StepState; readonly link: StartLink | undefined }) {
  const { t, number } = useI18n();
  const { joinCount = 0, joinRequestCount = 0 } = link?.stats ?? {};
  return (
    <Step number={5} title={t("start.member")} state={state}>
      {/* Always there: screen readers announce what is added to it. */}
      <div role="status">
        {state === "now" && (
          <p className="waiting">
            {joinRequestCount > 0 ? t("start.requested") : t("start.waitingForMember")}
          </p>
        )}
        {state === "done" && (
          <p className="came">
            {joinCount === 1
              ? t("start.came")
              : t("start.cameMore", { count: joinCount, shown: number(joinCount) })}
          </p>
        )}
      </div>
      {state === "now" && <p className="muted">{t("start.memberHint")}</p>}
    </Step>
  );
}
