import { useQuery } from "@apollo/client/react";
import { useEffect, useRef } from "react";
import type { LinkEventFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { isAwaited } from "../../api/shownData.js";
import { useI18n } from "../../i18n/index.js";
import { PAGE_SIZE, usePages } from "../../parts/usePages.js";
import { usePerson } from "../../parts/usePerson.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { Entry } from "./Entry.js";
import { Change, CREATIONS, useLinkChanges } from "./LinkChange.js";

const LINK_EVENT = graphql(`
  fragment LinkEvent on MemberEvent {
    kind
    userId
    occurredAt
    isRejoin
    isRemoval
  }
`);

const LINK_EVENTS = graphql(`
  query LinkEvents($channelId: TelegramID!, $ids: [ID!], $first: Int, $after: String) {
    memberEvents(channelId: $channelId, filter: { inviteLinkIds: $ids }, first: $first, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        node {
          id
          ...LinkEvent
        }
      }
    }
  }
`);

/** What happened by a link and to it, the latest first, down to its creation. */
export function LinkEvents(props: {
  readonly channelId: number;
  readonly id: string;
  readonly createdAt: string | undefined;
  readonly currency: string;
}) {
  const { channelId, id, createdAt, currency } = props;
  const { t } = useI18n();
  const { data, error, loading, refetch, fetchMore } = useQuery(LINK_EVENTS, {
    variables: { channelId, ids: [id], first: PAGE_SIZE },
    fetchPolicy: "cache-and-network",
  });
  const changes = useLinkChanges(id);
  const list = data?.memberEvents;
  const pages = usePages(list, fetchMore);
  const problem = error ?? pages.error ?? changes.error;
  const latest = list?.edges[0]?.node;
  const news = useNews(latest?.id, list !== undefined && !loading);
  const textOf = useText();
  const events = (list?.edges ?? []).map(({ node }) => ({ id: node.id, event: read(LINK_EVENT, node) }));
  const end = pages.hasMore ? Date.parse(events.at(-1)?.event.occurredAt ?? "") : 0;
  const entries = [
    ...events.map(({ id: key, event }) => ({
      at: Date.parse(event.occurredAt),
      entry: <Event key={key} event={event} />,
    })),
    // Those before the last event that is loaded stand among the events that are not.
    ...changes.list
      .filter(({ at }) => Date.parse(at) >= end)
      .map((change) => ({
        at: Date.parse(change.at),
        entry: <Change key={change.id} change={change} currency={currency} />,
      })),
  ].sort((one, other) => other.at - one.at);
  const isCreationTold = changes.list.some(({ action }) => CREATIONS.includes(action));
  return (
    <section className="card panel" aria-label={t("link.history")} aria-busy={isAwaited({ data, error })}>
      <h2>{t("link.history")}</h2>
      {problem && (
        <LoadProblem
          title={t("link.historyFailed")}
          error={problem}
          onRetry={() => {
            if (pages.error) pages.showMore();
            else void refetch().catch(() => {});
            if (changes.error) changes.reload();
          }}
        />
      )}
      <span role="status" className="hidden">
        {news && latest && textOf(read(LINK_EVENT, latest))}
      </span>
      <ol className="events">
        {entries.map(({ entry }) => entry)}
        {list && !pages.hasMore && createdAt !== undefined && !isCreationTold && (
          <Entry kind="CREATED" text={t("event.CREATED")} at={createdAt} />
        )}
      </ol>
      {pages.hasMore && (
        <button type="button" onClick={pages.showMore}>
          {t("links.showMore")}
        </button>
      )}
    </section>
  );
}

/** Whether the latest event came while the page was open, so that it is told to screen readers. */
function useNews(latest: string | undefined, isLoaded: boolean): boolean {
  const first = useRef<{ readonly id: string | undefined } | null>(null);
  useEffect(() => {
    if (isLoaded) first.current ??= { id: latest };
  }, [isLoaded, latest]);
  return first.current !== null && latest !== first.current.id;
}

/** What happened, in words. */
function useText(): (event: LinkEventFragment) => string {
  const { t } = useI18n();
  const personOf = usePerson();
  return ({ kind, isRejoin, isRemoval, userId }) => {
    const what = kind === "JOINED" && isRejoin ? "REJOINED" : kind === "LEFT" && isRemoval ? "REMOVED" : kind;
    return t(`event.${what}`, { person: personOf(userId) });
  };
}

function Event({ event }: { readonly event: LinkEventFragment }) {
  const textOf = useText();
  return <Entry kind={event.kind} text={textOf(event)} at={event.occurredAt} />;
}
