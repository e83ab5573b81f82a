import { useQuery } from "@apollo/client/react";
import { useEffect, useRef } from "react";
import type { LinkEventFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { PAGE_SIZE, usePages } from "../../parts/usePages.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { usePerson } from "./person.js";

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

/** What happened by a link, the latest first, down to its creation. */
export function LinkEvents(props: {
  readonly channelId: number;
  readonly id: string;
  readonly createdAt: string | undefined;
}) {
  const { channelId, id, createdAt } = props;
  const { t } = useI18n();
  const { data, error, refetch, fetchMore } = useQuery(LINK_EVENTS, {
    variables: { channelId, ids: [id], first: PAGE_SIZE },
    fetchPolicy: "cache-and-network",
  });
  const list = data?.memberEvents;
  const pages = usePages(list, fetchMore);
  const problem = error ?? pages.error;
  const latest = list?.edges[0]?.node;
  const news = useNews(latest?.id, list !== undefined);
  const textOf = useText();
  return (
    <section className="card panel" aria-label={t("link.history")} aria-busy={data === undefined}>
      <h2>{t("link.history")}</h2>
      {problem && (
        <LoadProblem
          title={t("link.historyFailed")}
          error={problem}
          onRetry={() => (pages.error ? pages.showMore() : void refetch().catch(() => {}))}
        />
      )}
      <span role="status" className="hidden">
        {news && latest && textOf(read(LINK_EVENT, latest))}
      </span>
      <ol className="events">
        {list?.edges.map(({ node }) => (
          <Event key={node.id} event={read(LINK_EVENT, node)} />
        ))}
        {list && !pages.hasMore && createdAt !== undefined && (
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

function Entry(props: { readonly kind: string; readonly text: string; readonly at: string }) {
  const { dayAndTime } = useI18n();
  return (
    <li data-kind={props.kind}>
      <span>{props.text}</span>
      <time className="small muted" dateTime={props.at}>
        {dayAndTime(props.at)}
      </time>
    </li>
  );
}
