import { useApolloClient, useMutation, useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import type { BatchFragment } from "../../api/gql/graphql.js";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { evictLists } from "../../api/listUpdates.js";
import { PROBLEM, reasonOf, requireResult, useAttempt, useSecondsUntil } from "../../api/problems.js";
import { useAllPages } from "../../api/useAllPages.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { useChannel } from "../../shell/channel.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
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

const isRunning = ({ finishedAt }: BatchFragment): boolean => finishedAt == null;

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

/**
 * Running batches are asked for while the page is visible. A subscription has only one batch, and would hold one of the six
 * connections that a browser has to a server over HTTP/1.1.
 */
const ASK_EVERY_MS = 1000;

/** The batches of the channel, whoever sent them. They go on without this page, and are found again. */
export function Batches({ onAgain }: { readonly onAgain: (lines: string) => void }) {
  const { t } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const { data, error, refetch, startPolling, stopPolling } = useQuery(BATCHES, {
    variables: { channelId },
    fetchPolicy: "cache-and-network",
    skipPollAttempt: () => document.hidden,
  });
  const batches = data?.inviteLinkBatches.nodes;
  const runningCount = batches?.filter((batch) => isRunning(read(BATCH, batch))).length ?? 0;
  const isAnyRunning = runningCount > 0;
  useEffect(() => {
    if (!isAnyRunning) return;
    startPolling(ASK_EVERY_MS);
    return stopPolling;
  }, [isAnyRunning, startPolling, stopPolling]);
  useEffect(() => {
    if (runningCount === 0) return;
    // The lists of links do not know the links of a batch that has ended, or goes on without this page.
    return () => evictLists(client.cache);
  }, [runningCount, client]);
  return (
    <section className="batches" aria-labelledby="batches">
      <h2 id="batches">{t("batch.batches")}</h2>
      {error && !data && <Loading error={error} refetch={refetch} />}
      {batches?.length === 0 && <p className="muted">{t("batch.none")}</p>}
      {batches?.map((batch) => (
        <BatchCard key={batch.id} batch={batch} onAgain={onAgain} />
      ))}
    </section>
  );
}

function BatchCard(props: {
  readonly batch: FragmentType<typeof BATCH>;
  readonly onAgain: (lines: string) => void;
}) {
  const { onAgain } = props;
  const batch = read(BATCH, props.batch);
  const { t, number, dayAndTime } = useI18n();
  const { canEdit } = useChannel();
  const runs = isRunning(batch);
  const [cancel] = useMutation(CANCEL);
  const { problem, isBusy, attempt } = useAttempt();
  const secondsLeft = useSecondsUntil(runs ? batch.waitingUntil : null);
  const ended = batch.madeCount + batch.failedCount + batch.uncertainCount;
  const notMade = runs ? batch.failedCount + batch.uncertainCount : batch.totalCount - batch.madeCount;
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
        {runs && canEdit && batch.state === "RUNNING" && (
          <button type="button" aria-disabled={isBusy} onClick={() => void stop()}>
            {t("common.cancel")}
          </button>
        )}
      </header>
      {runs && <progress max={batch.totalCount} value={ended} aria-label={t("bulk.progress")} />}
      <p role="status">
        {runs
          ? secondsLeft > 0
            ? t("problem.RateLimitedError")
            : t("batch.running")
          : batch.state === "CANCELLED"
            ? t("batch.cancelled", { made: number(batch.madeCount), total: number(batch.totalCount) })
            : t("batch.done", { made: number(batch.madeCount), total: number(batch.totalCount) })}
      </p>
      {runs && (
        <p className="small muted">
          {t("bulk.done", { shown: number(ended), total: number(batch.totalCount) })}
          {secondsLeft > 0 && ` · ${t("problem.asksToWait", { count: secondsLeft })}`}
        </p>
      )}
      {problem && <Problem problem={problem} />}
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
  const { data, error, refetch, fetchMore } = useQuery(NOT_MADE, {
    variables: { id: batchId },
    skip: !isOpen,
    fetchPolicy: "network-only",
  });
  const items = data?.node && "items" in data.node ? data.node.items : undefined;
  const notMade = items?.edges.map(({ node }) => node) ?? [];
  const pages = useAllPages(items, fetchMore);
  const problem = error ?? pages.error;
  // Of an uncertain one, a second link might be made.
  const again = notMade.filter(({ state }) => state !== "UNCERTAIN");
  return (
    <details onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
      <summary>{t("batch.notMade", { count, shown: number(count) })}</summary>
      <ul className="refused">
        {notMade.map(({ index, name, state, error: reason }) => (
          <li key={index}>
            <strong>
              <Name>{name}</Name>
            </strong>{" "}
            {reason
              ? `${state === "UNCERTAIN" ? t("problem.outcomeUnknown") : reasonOf(read(PROBLEM, reason))}`
              : t("batch.wasCancelled")}
          </li>
        ))}
      </ul>
      {problem && (
        <LoadProblem
          error={problem}
          onRetry={() => (pages.error ? pages.retry() : void refetch().catch(() => {}))}
        />
      )}
      {onAgain && again.length > 0 && pages.isWhole && (
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
