import { useQuery } from "@apollo/client/react";
import { Suspense, useCallback, useEffect, useRef, useState } from "react";
import { messageOf } from "../../api/failure.js";
import type { InviteLinkOrderField } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { isAwaited, shownData } from "../../api/shownData.js";
import { useI18n } from "../../i18n/index.js";
import type { FilteredLinks } from "../../parts/filter/useFilteredLinks.js";
import { clearFilter } from "../../parts/filter/useView.js";
import { filterOf, isFiltered, PAGE_SIZE, type View, writeView } from "../../parts/filter/view.js";
import { SHOWN_LINK, type ShownLink } from "../../parts/link/shownLink.js";
import { SortHeader } from "../../parts/SortHeader.js";
import { useChannel } from "../../shell/channel.js";
import { LazyDialog } from "../../shell/LazyDialog.js";
import { Boundary } from "../../ui/Boundary.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { lazyPart } from "../../ui/lazyPart.js";
import { toast } from "../../ui/toast.js";
import { type LinkAction, LinkRow } from "./LinkRow.js";
import { type Selection, useSelection } from "./selection.js";

const BulkBar = lazyPart(() => import("./BulkBar.js"));
const RowMenu = lazyPart(() => import("./RowMenu.js"));

const LINKS = graphql(`
  query Links(
    $channelId: TelegramID!
    $filter: InviteLinkFilter
    $orderBy: [InviteLinkOrder!]
    $first: Int
    $after: String
  ) {
    channel(telegramId: $channelId) {
      id
      currency
    }
    inviteLinks(channelId: $channelId, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          ...ShownLink
        }
      }
    }
  }
`);

/** Loads pages of the list until it has as many rows as the view asks for. */
function useLinks(channelId: number, timeZone: string, view: View) {
  const variables = { channelId, filter: filterOf(view, timeZone), orderBy: [view.order], first: PAGE_SIZE };
  // The cache may have more of the list than is shown. See api/wholeLists.ts.
  const rows = useRef(view.rows);
  rows.current = view.rows;
  const links = useQuery(LINKS, {
    variables,
    context: { rows, queryDeduplication: false },
    fetchPolicy: "cache-and-network",
  });
  const { data, error, fetchMore, refetch } = links;
  const list = data?.inviteLinks;
  const after = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  const missing = list ? view.rows - list.edges.length : 0;
  const [failed, setFailed] = useState<{ readonly after: string; readonly error: Error } | null>(null);
  // The error of an earlier page is ignored.
  const failure = failed?.after === after ? failed : null;
  useEffect(() => {
    if (after == null || missing <= 0 || failure) return;
    fetchMore({ variables: { after } }).catch((error: Error) => setFailed({ after, error }));
  }, [after, missing, failure, fetchMore]);
  const shown = shownData(links);
  return {
    edges: shown?.inviteLinks.edges.slice(0, view.rows) ?? [],
    currency: shown?.channel?.currency ?? "USD",
    hasMore: list !== undefined && (list.pageInfo.hasNextPage || list.edges.length > view.rows),
    isLoaded: shown !== undefined,
    isBusy: isAwaited(links) || (after != null && missing > 0 && !failure),
    error: error ?? failure?.error,
    retry: () => (failure ? setFailed(null) : void refetch().catch(() => {})),
  };
}

const COLUMNS: readonly {
  readonly field: InviteLinkOrderField;
  readonly title: "name" | "joins" | "members" | "budget" | "created_at";
}[] = [
  { field: "NAME", title: "name" },
  { field: "JOIN_COUNT", title: "joins" },
  { field: "ACTIVE_COUNT", title: "members" },
  { field: "BUDGET", title: "budget" },
  { field: "CREATED_AT", title: "created_at" },
];

export function LinkTable(props: {
  readonly links: FilteredLinks;
  readonly onAct: (action: LinkAction) => void;
}) {
  const { links, onAct } = props;
  const { view, changeView: onChange, totalCount } = links;
  const { t, number } = useI18n();
  const { channelId, title, timeZone, canEdit, isAdmin } = useChannel();
  const { edges, currency, hasMore, isLoaded, isBusy, error, retry } = useLinks(channelId, timeZone, view);
  const [menu, setMenu] = useState<{ readonly button: HTMLElement; readonly link: ShownLink } | null>(null);
  const openMenu = useCallback((button: HTMLElement, link: ShownLink) => setMenu({ button, link }), []);
  const closeMenu = () => setMenu(null);
  const list = useKeptFocus();
  const problem = error ?? links.error;
  const filter = filterOf(view, timeZone);
  const shownLinks = edges.map(({ node }) => read(SHOWN_LINK, node));
  const listKey = JSON.stringify(filter);
  const { selected, select, toggle } = useSelection(shownLinks, listKey);
  const exportAll = async () => {
    try {
      const { exportLinks } = await import("./exportLinks.js");
      await exportLinks({ channelId, title, filters: [filter] });
    } catch (failure) {
      const reason = messageOf(failure, t("common.unreachable"));
      toast({ message: t("links.exportFailed", { reason }), isProblem: true });
    }
  };
  const search = writeView({ ...view, rows: PAGE_SIZE }).replace("?", "&");
  const showMore = () => onChange({ rows: edges.length + PAGE_SIZE }, "replace");
  const { order } = view;
  const [name, joins, members, budget, created] = COLUMNS.map(({ field, title }) => {
    const isDescending = order.field === field ? order.direction === "DESC" : null;
    // The first click sorts names in ascending order, amounts and dates in descending order.
    const direction = (isDescending ?? field === "NAME") ? "ASC" : "DESC";
    return (
      <SortHeader
        key={field}
        className={field.toLowerCase()}
        title={t(`columns.${title}`)}
        isDescending={isDescending}
        onSort={() => onChange({ order: { field, direction } })}
      >
        {canEdit && field === "NAME" && (
          <SelectShown shown={shownLinks} selected={selected} onSelect={select} />
        )}
      </SortHeader>
    );
  });
  return (
    <section ref={list} tabIndex={-1} className="card links" aria-label={t("pages.links")} aria-busy={isBusy}>
      {/* The sums above mostly fail together with the rows. One message is enough then. */}
      {problem && (
        <LoadProblem
          title={error ? t("links.loadFailed") : t("links.sumsFailed")}
          error={problem}
          onRetry={() => {
            if (error) retry();
            if (links.error) links.retry();
          }}
        />
      )}
      {edges.length > 0 ? (
        <table>
          <thead>
            <tr>
              {name}
              <th scope="col" className="address">
                {t("columns.address")}
              </th>
              <th scope="col" className="tags">
                {t("columns.tags")}
              </th>
              {joins}
              {members}
              <th scope="col" className="cost">
                {t("columns.costPerJoin")}
              </th>
              {budget}
              {created}
              <th scope="col" className="actions">
                <span className="hidden">{t("columns.actions")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {edges.map(({ node }) => (
              <LinkRow
                key={node.id}
                link={node}
                channelId={channelId}
                search={search}
                currency={currency}
                canEdit={canEdit}
                isSelected={selected.has(node.id)}
                onSelect={toggle}
                onAct={onAct}
                onMenu={openMenu}
              />
            ))}
          </tbody>
        </table>
      ) : (
        <div className="empty">
          {!isLoaded ? (
            !error && <p role="status">{t("common.loading")}</p>
          ) : isFiltered(view) ? (
            <>
              <p>{t("links.noMatch")}</p>
              <button type="button" onClick={() => clearFilter(onChange)}>
                {t("links.showAll")}
              </button>
            </>
          ) : (
            <p>
              {t("links.none")} {canEdit && t("links.noneHint")}
            </p>
          )}
        </div>
      )}
      {edges.length > 0 && (
        <footer className="more">
          <span role="status" className="muted" data-testid="shown">
            {totalCount !== undefined &&
              t("links.shown", { count: totalCount, shown: number(edges.length), total: number(totalCount) })}
          </span>
          {isAdmin && (
            <button type="button" className="quiet slim" onClick={() => void exportAll()}>
              {t("links.export")}
            </button>
          )}
          {hasMore && <More key={edges.length} isBusy={isBusy} onMore={showMore} />}
        </footer>
      )}
      {selected.size > 0 && (
        <Boundary instead={() => null}>
          <Suspense>
            <BulkBar
              selected={selected}
              filter={filter}
              totalCount={totalCount}
              onSelect={select}
              onClear={() => {
                select(new Map());
                list.current?.focus();
              }}
            />
          </Suspense>
        </Boundary>
      )}
      {menu && (
        <LazyDialog key={menu.link.id} onClose={closeMenu}>
          <RowMenu
            button={menu.button}
            link={menu.link}
            canEdit={canEdit}
            onAct={onAct}
            onClose={closeMenu}
          />
        </LazyDialog>
      )}
    </section>
  );
}

/** Selects all rows shown, or none. */
function SelectShown(props: {
  readonly shown: readonly ShownLink[];
  readonly selected: Selection;
  readonly onSelect: (selection: Selection) => void;
}) {
  const { shown, selected, onSelect } = props;
  const { t } = useI18n();
  const isAll = shown.every(({ id }) => selected.has(id));
  return (
    <input
      type="checkbox"
      className="pick"
      aria-label={t("links.selectShown")}
      checked={isAll}
      ref={(element) => {
        if (element) element.indeterminate = !isAll && selected.size > 0;
      }}
      onChange={() => onSelect(new Map(isAll ? [] : shown.map((link) => [link.id, link])))}
    />
  );
}

/** Moves the focus to the next row when the row that has it leaves the list, as that of a link that is revoked. */
function useKeptFocus() {
  const list = useRef<HTMLElement>(null);
  const last = useRef<{ readonly element: HTMLElement; readonly index: number } | null>(null);
  useEffect(() => {
    // React's own onFocus misses the focus that a dialog returns while React removes the dialog.
    const remember = ({ target }: FocusEvent) => {
      if (!(target instanceof HTMLElement)) return;
      const row = target.closest<HTMLTableRowElement>("tbody tr");
      if (row) last.current = { element: target, index: row.sectionRowIndex };
      // A menu or a dialog returns the focus, to the page itself if the row is gone by then.
      else if (!target.matches("main, dialog *, .menu, .menu *")) last.current = null;
    };
    document.addEventListener("focusin", remember);
    return () => document.removeEventListener("focusin", remember);
  }, []);
  useEffect(() => {
    if (last.current === null || last.current.element.isConnected) return;
    if (!document.activeElement?.matches("body, main")) return;
    const { index } = last.current;
    last.current = null;
    const menus = list.current?.querySelectorAll<HTMLElement>("tbody [aria-haspopup=menu]") ?? [];
    (menus[Math.min(index, menus.length - 1)] ?? list.current)?.focus();
  });
  return list;
}

/** How far below the window the next rows are loaded, so that nobody who scrolls has to wait. */
const AHEAD = "600px";

/** Loads the next rows as soon as it comes near the window. */
function More({ isBusy, onMore }: { readonly isBusy: boolean; readonly onMore: () => void }) {
  const { t } = useI18n();
  const button = useRef<HTMLButtonElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each number of rows has a button of its own.
  useEffect(() => {
    if (isBusy || button.current === null) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && onMore(),
      { rootMargin: AHEAD },
    );
    observer.observe(button.current);
    return () => observer.disconnect();
  }, [isBusy]);
  return (
    <button ref={button} type="button" disabled={isBusy} onClick={onMore}>
      {t("links.showMore")}
    </button>
  );
}
