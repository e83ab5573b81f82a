import { useApolloClient, useMutation, useQuery, useSubscription } from "@apollo/client/react";
import { useEffect, useState } from "react";
import { evictLists } from "../../api/cache.js";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { PROBLEM, reasonOf, requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Name } from "../../ui/Name.js";
import { Problem } from "../../ui/Problem.js";
import { lineOf } from "./sentLists.js";

const BATCH = graphql(`
  fragment Batch on InviteLinkBatch {
    id
    state
    createdAt
    finishedAt
    totalCount
    madeCount
    failedCount
    uncertainCount
    waitingUntil
  }
`);

const BATCHES = graphql(`
  query Batches($channelId: TelegramID!) {
    inviteLinkBatches(channelId: $channelId, first: 20) {
      nodes {
        id
        ...Batch
      }
    }
  }
`);

const BATCH_UPDATED = graphql(`
  subscription BatchUpdated($id: ID!) {
    inviteLinkBatchUpdated(id: $id) {
      ...Batch
    }
  }
`);

const CANCEL = graphql(`
  mutation CancelBatch($input: CancelInviteLinkBatchInput!) {
    cancelInviteLinkBatch(input: $input) {
      __typename
      ... on CancelInviteLinkBatchSuccess {
        batch {
          ...Batch
        }
      }
      ...Problem
    }
  }
`);

const NOT_MADE = graphql(`
  query NotMade($id: ID!, $after: String) {
    node(id: $id) {
      id
      ... on InviteLinkBatch {
        items(first: 100, after: $after, states: [FAILED, UNCERTAIN, CANCELLED]) {
          pageInfo {
            hasNextPage
            endCursor
          }
          edges {
            node {
              index
              name
              state
              error {
                ...Problem
              }
            }
          }
        }
      }
    }
  }
`);

/** The batches of the channel, whoever sent them. They go on without this page, and are found again. */
export function Batches({ onAgain }: { readonly onAgain: (lines: string) => void }) {
  const { t } = useI18n();
  const { channelId } = useChannel();
  const { data, error } = useQuery(BATCHES, { variables: { channelId }, fetchPolicy: "cache-and-network" });
  const batches = data?.inviteLinkBatches.nodes;
  return (
    <section className="batches" aria-labelledby="batches">
      <h2 id="batches">{t("batch.batches")}</h2>
      {error && !data && (
        <p role="alert" className="problem">
          {error.message}
        </p>
      )}
      {batches?.length === 0 && <p className="muted">{t("batch.none")}</p>}
      {batches?.map((batch) => (
        <BatchCard key={batch.id} batch={batch} onAgain={onAgain} />
      ))}
    </section>
  );
}

/** The seconds until an instant, counted down; 0 for none. */
function useSecondsUntil(instant: string | null | undefined): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (!instant) return setLeft(0);
    const update = () => setLeft(Math.max(0, Math.ceil((Date.parse(instant) - Date.now()) / 1000)));
    update();
    const timer = setInterval(update, 500);
    return () => clearInterval(timer);
  }, [instant]);
  return left;
}

function BatchCard(props: {
  readonly batch: FragmentType<typeof BATCH>;
  readonly onAgain: (lines: string) => void;
}) {
  const { onAgain } = props;
  const batch = read(BATCH, props.batch);
  const { t, number, dayAndTime } = useI18n();
  const { canEdit } = useChannel();
  const client = useApolloClient();
  const isRunning = batch.finishedAt == null;
  const { error } = useSubscription(BATCH_UPDATED, {
    variables: { id: batch.id },
    skip: !isRunning,
    ignoreResults: true,
    // The lists of links do not know the new ones.
    onComplete: () => evictLists(client.cache),
  });
  const [cancel] = useMutation(CANCEL);
  const { problem, isBusy, attempt } = useAttempt();
  const secondsLeft = useSecondsUntil(isRunning ? batch.waitingUntil : null);
  const ended = batch.madeCount + batch.failedCount + batch.uncertainCount;
  const notMade = isRunning ? batch.failedCount + batch.uncertainCount : batch.totalCount - batch.madeCount;
  const stop = () =>
    attempt(async () => {
      const { data } = await cancel({ variables: { input: { id: batch.id } } });
      const result = requireResult(data?.cancelInviteLinkBatch);
      return result.__typename === "CancelInviteLinkBatchSuccess" ? null : result;
    });
  return (
    <article
      className="card batch"
      aria-label={t("batch.title", { count: batch.totalCount, shown: number(batch.totalCount) })}
    >
      <header>
        <h3>{t("batch.title", { count: batch.totalCount, shown: number(batch.totalCount) })}</h3>
        <time className="small muted" dateTime={batch.createdAt}>
          {dayAndTime(batch.createdAt)}
        </time>
        <span className="spring" />
        {isRunning && canEdit && batch.state === "RUNNING" && (
          <button type="button" aria-disabled={isBusy} onClick={() => void stop()}>
            {t("common.cancel")}
          </button>
        )}
      </header>
      {isRunning && <progress max={batch.totalCount} value={ended} aria-label={t("bulk.progress")} />}
      <p role="status">
        {isRunning
          ? secondsLeft > 0
            ? t("problem.RateLimitedError")
            : t("batch.running")
          : batch.state === "CANCELLED"
            ? t("batch.cancelled", { made: number(batch.madeCount), total: number(batch.totalCount) })
            : t("batch.done", { made: number(batch.madeCount), total: number(batch.totalCount) })}
      </p>
      {isRunning && (
        <p className="small muted">
          {t("bulk.done", { shown: number(ended), total: number(batch.totalCount) })}
          {secondsLeft > 0 && ` · ${t("problem.asksToWait", { count: secondsLeft })}`}
        </p>
      )}
      {problem && <Problem problem={problem} />}
      {error && (
        <p role="alert" className="problem">
          {error.message}
        </p>
      )}
      {notMade > 0 && (
        <NotMade key={notMade} batchId={batch.id} count={notMade} onAgain={canEdit ? onAgain : null} />
      )}
    </article>
  );
}

/** The links that were not created, with the reasons. */
function NotMade(props: {
  readonly batchId: string;
  readonly count: number;
  /** Null for those who may not create links. */
  readonly onAgain: ((lines: string) => void) | null;
}) {
  const { batchId, count, onAgain } = props;
  const { t, number } = useI18n();
  const [isOpen, setIsOpen] = useState(false);
  const { data, fetchMore } = useQuery(NOT_MADE, {
    variables: { id: batchId },
    skip: !isOpen,
    fetchPolicy: "network-only",
  });
  const items = data?.node && "items" in data.node ? data.node.items : undefined;
  const notMade = items?.edges.map(({ node }) => node) ?? [];
  const after = items?.pageInfo.hasNextPage ? items.pageInfo.endCursor : null;
  useEffect(() => {
    if (after != null) fetchMore({ variables: { after } }).catch(() => {});
  }, [after, fetchMore]);
  // Of an uncertain one, a second link might be made.
  const again = notMade.filter(({ state }) => state !== "UNCERTAIN");
  return (
    <details onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
      <summary>{t("batch.notMade", { count, shown: number(count) })}</summary>
      <ul className="refused">
        {notMade.map(({ index, name, state, error }) => (
          <li key={index}>
            <strong>
              <Name>{name}</Name>
            </strong>{" "}
            {error
              ? `${state === "UNCERTAIN" ? t("problem.outcomeUnknown") : reasonOf(read(PROBLEM, error))}`
              : t("batch.wasCancelled")}
          </li>
        ))}
      </ul>
      {onAgain && again.length > 0 && after == null && (
        <button
          type="button"
          onClick={() => onAgain(again.map(({ index, name }) => lineOf(batchId, index, name)).join("\n"))}
        >
          {t("batch.again", { count: again.length, shown: number(again.length) })}
        </button>
      )}
    </details>
  );
}
