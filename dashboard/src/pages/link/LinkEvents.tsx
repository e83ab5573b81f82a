import { useQuery } from "@apollo/client/react";
import type { LinkEventFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { usePerson } from "./person.js";
import { PAGE_SIZE, usePages } from "./usePages.js";

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
  });
  const list = data?.memberEvents;
  const pages = usePages(list, fetchMore);
  const problem = error ?? pages.error;
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

function Event({ event }: { readonly event: LinkEventFragment }) {
  const { t } = useI18n();
  const personOf = usePerson();
  const { kind, isRejoin, isRemoval, userId, occurredAt } = event;
  const what = kind === "JOINED" && isRejoin ? "REJOINED" : kind === "LEFT" && isRemoval ? "REMOVED" : kind;
  return <Entry kind={kind} text={t(`event.${what}`, { person: personOf(userId) })} at={occurredAt} />;
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
