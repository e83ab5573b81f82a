import { useQuery } from "@apollo/client/react";
import { useEffect, useState } from "react";
import { number } from "./format.js";
import type { InviteLinkOrderField } from "./gql/graphql.js";
import { type FragmentType, graphql } from "./gql/index.js";
import { LinkRow } from "./LinkRow.js";
import type { TAG_CHOICE } from "./TagPicker.js";
import { type ChangeView, clearFilter } from "./useView.js";
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

/** Links in one request: the query costs less than a tenth of the server's limit under any filter. */
const MAX_PAGE = 30;

/** Loads pages of the list until it has as many rows as the view asks for. */
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
  // The error of an earlier page is ignored.
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
    isLoaded: shown !== undefined,
    isBusy: loading || (after != null && missing > 0 && !failure),
    error: error ?? failure?.error,
    retry: () => (failure ? setFailed(null) : void refetch().catch(() => {})),
  };
}

const COLUMNS: readonly { readonly field: InviteLinkOrderField; readonly title: string }[] = [
  { field: "NAME", title: "Link" },
  { field: "BUDGET", title: "Budget" },
  { field: "CREATED_AT", title: "Created" },
];

export function LinkTable(props: {
  readonly channelId: number;
  readonly currency: string;
  readonly view: View;
  readonly onChange: ChangeView;
  /** Undefined until it is loaded. */
  readonly totalCount: number | undefined;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly canEdit: boolean;
  readonly onDone: (message: string) => void;
}) {
  const { channelId, currency, view, onChange, totalCount, tagChoices, canEdit, onDone } = props;
  const { edges, hasMore, isLoaded, isBusy, error, retry } = useLinks(channelId, view);
  const [link, budget, created] = COLUMNS.map(({ field, title }) => (
    <SortHeader
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
            <button type="button" onClick={() => clearFilter(onChange)}>
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
              {created}
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
          {!isLoaded ? (
            !error && <p role="status">Loading …</p>
          ) : isFiltered(view) ? (
            <>
              <p>No link matches this filter.</p>
              <button type="button" onClick={() => clearFilter(onChange)}>
                Show all links
              </button>
            </>
          ) : (
            <p>No links yet.{canEdit && " Create the first one with “New link”."}</p>
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

/** A column header that sorts the list; a second click reverses the order. */
function SortHeader(props: {
  readonly field: InviteLinkOrderField;
  readonly title: string;
  readonly order: View["order"];
  readonly onOrder: (order: View["order"]) => void;
}) {
  const { field, title, order, onOrder } = props;
  const isSorted = order.field === field;
  const isDescending = order.direction === "DESC";
  // The first click sorts names in ascending order, amounts and dates in descending order.
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
