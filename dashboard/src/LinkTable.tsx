import { useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import { number } from "./format.js";
import type { InviteLinkOrderField } from "./gql/graphql.js";
import { type FragmentType, graphql } from "./gql/index.js";
import { LinkRow } from "./LinkRow.js";
import type { TAG_CHOICE } from "./TagPicker.js";
import { type ChangeView, withoutFilter } from "./useView.js";
import { filterOf, isFiltered, PAGE_SIZE, type View } from "./view.js";

const LINKS = graphql(`
  query Links(
    $channelId: TelegramID!
    $filter: InviteLinkFilter
    $orderBy: [InviteLinkOrder!]
    $first: Int
    $after: String
  ) {
    inviteLinks(channelId: $channelId, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          ...LinkRow
        }
      }
    }
  }
`);

/** So that the document costs less than a tenth of what the server takes, under any filter. */
const MAX_PAGE = 30;

/** The list, page after page in one; `rows` in the view says how far it is shown, and what is missing is fetched. */
function useLinks(channelId: number, view: View) {
  const variables = {
    channelId,
    filter: filterOf(view),
    orderBy: [view.order],
    first: Math.min(view.rows, MAX_PAGE),
  };
  const { data, previousData, error, loading, fetchMore, refetch } = useQuery(LINKS, { variables });
  const list = data?.inviteLinks;
  const after = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  const missing = list ? view.rows - list.edges.length : 0;
  const [failed, setFailed] = useState<{ readonly after: string; readonly error: Error } | null>(null);
  // Of this page, not of one that was wanted earlier.
  const failure = failed?.after === after ? failed : null;
  useEffect(() => {
    if (after == null || missing <= 0 || failure) return;
    fetchMore({ variables: { after, first: Math.min(missing, MAX_PAGE) } }).catch((error: Error) =>
      setFailed({ after, error }),
    );
  }, [after, missing, failure, fetchMore]);
  const shown = (data ?? previousData)?.inviteLinks;
  return {
    edges: shown?.edges.slice(0, view.rows) ?? [],
    hasMore: shown !== undefined && (shown.pageInfo.hasNextPage || shown.edges.length > view.rows),
    isKnown: shown !== undefined,
    isBusy: loading || (after != null && missing > 0 && !failure),
    error: error ?? failure?.error,
    retry: () => (failure ? setFailed(null) : void refetch().catch(() => {})),
  };
}

const COLUMNS: readonly { readonly field: InviteLinkOrderField; readonly title: string }[] = [
  { field: "NAME", title: "Link" },
  { field: "BUDGET", title: "Budget" },
  { field: "CREATED_AT", title: "Made" },
];

export function LinkTable(props: {
  readonly channelId: number;
  readonly currency: string;
  readonly view: View;
  readonly onChange: ChangeView;
  /** Undefined where it is not known yet. */
  readonly totalCount: number | undefined;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly canEdit: boolean;
  readonly onDone: (what: string) => void;
}) {
  const { channelId, currency, view, onChange, totalCount, tagChoices, canEdit, onDone } = props;
  const { edges, hasMore, isKnown, isBusy, error, retry } = useLinks(channelId, view);
  const [link, budget, made] = COLUMNS.map(({ field, title }) => (
    <SortedHead
      key={field}
      field={field}
      title={title}
      order={view.order}
      onOrder={(order) => onChange({ order })}
    />
  ));
  return (
    <section className="card links" aria-label="Links" aria-busy={isBusy}>
      {error && (
        <div role="alert" className="problem">
          <span>The links could not be loaded: {error.message}</span>
          <button type="button" onClick={retry}>
            Try again
          </button>
          {isFiltered(view) && (
            <button type="button" onClick={() => withoutFilter(onChange)}>
              Show all links
            </button>
          )}
        </div>
      )}
      {edges.length > 0 ? (
        <table>
          <thead>
            <tr>
              {link}
              <th scope="col">Tags</th>
              {budget}
              {made}
              <th scope="col">
                <span className="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {edges.map(({ node }) => (
              <LinkRow
                key={node.id}
                link={node}
                currency={currency}
                tagChoices={tagChoices}
                canEdit={canEdit}
                onDone={onDone}
              />
            ))}
          </tbody>
        </table>
      ) : (
        <div className="empty">
          {!isKnown ? (
            !error && <p role="status">Loading …</p>
          ) : isFiltered(view) ? (
            <>
              <p>No link matches this filter.</p>
              <button type="button" onClick={() => withoutFilter(onChange)}>
                Show all links
              </button>
            </>
          ) : (
            <p>No links yet.{canEdit && " The first one is made with “New link”."}</p>
          )}
        </div>
      )}
      {edges.length > 0 && (
        <footer className="more">
          <span role="status" className="muted" data-testid="shown">
            {number(edges.length)} {totalCount !== undefined && `of ${number(totalCount)} `}shown
          </span>
          {hasMore && (
            <button
              type="button"
              disabled={isBusy}
              onClick={() => onChange({ rows: edges.length + PAGE_SIZE }, "replace")}
            >
              Show more
            </button>
          )}
        </footer>
      )}
    </section>
  );
}

/** A column by whose head the list is sorted; the same head again turns it round. */
function SortedHead(props: {
  readonly field: InviteLinkOrderField;
  readonly title: string;
  readonly order: View["order"];
  readonly onOrder: (order: View["order"]) => void;
}) {
  const { field, title, order, onOrder } = props;
  const isSorted = order.field === field;
  const isDescending = order.direction === "DESC";
  // Of names the first comes first, of amounts and dates the greatest.
  const direction = isSorted ? (isDescending ? "ASC" : "DESC") : field === "NAME" ? "ASC" : "DESC";
  return (
    <th
      scope="col"
      className={field.toLowerCase()}
      aria-sort={isSorted ? (isDescending ? "descending" : "ascending") : "none"}
    >
      <button type="button" className="head" onClick={() => onOrder({ field, direction })}>
        {title}
        {isSorted && <span aria-hidden="true">{isDescending ? "↓" : "↑"}</span>}
      </button>
    </th>
  );
}
