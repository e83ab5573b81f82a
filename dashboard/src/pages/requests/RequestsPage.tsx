import { useQuery } from "@apollo/client/react";
import { useEffect, useRef, useState } from "react";
import { useSearch } from "wouter";
import { navigate } from "wouter/use-browser-location";
import type { JoinRequestState } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { useChannel } from "../../shell/channel.js";
import { DecisionBar } from "./DecisionBar.js";
import { JOIN_REQUEST_ROW, RequestRow } from "./RequestRow.js";
import { useArrivals } from "./useArrivals.js";
import { useDecisions } from "./useDecisions.js";
import { WaitingLinks } from "./WaitingLinks.js";
import "../../parts/parts.css";
import "./requests.css";

const JOIN_REQUESTS = graphql(`
  query JoinRequests(
    $channelId: TelegramID!
    $states: [JoinRequestState!]
    $linkIds: [ID!]
    $first: Int
    $after: String
  ) {
    joinRequests(
      channelId: $channelId
      filter: { states: $states, inviteLinkIds: $linkIds }
      first: $first
      after: $after
    ) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          ...JoinRequestRow
        }
      }
    }
  }
`);

const STATES = ["PENDING", "APPROVED", "DECLINED", "GONE"] as const satisfies readonly JoinRequestState[];
const PAGE_SIZE = 50;
/** The most requests that one query may ask for. */
const MOST = 100;
/** The most requests that can be decided in one go, so that the browser need not keep more rows. */
const MOST_SELECTED = 1000;

/** Puts a parameter into the address, or takes it out. */
function setParameter(name: "state" | "link", value: string | null): void {
  const query = new URLSearchParams(location.search);
  if (value === null) query.delete(name);
  else query.set(name, value);
  navigate(`${location.pathname}?${query}`);
}

/** Who asks to join a channel, those first about whom nobody has decided. */
export default function RequestsPage() {
  const { t, number } = useI18n();
  const { channelId, canEdit } = useChannel();
  const query = new URLSearchParams(useSearch());
  const link = query.get("link");
  const asked = query.get("state");
  const state = asked === "all" ? null : (STATES.find((one) => one === asked?.toUpperCase()) ?? "PENDING");
  const variables = {
    channelId,
    states: state && [state],
    linkIds: link === null ? null : [link],
    first: PAGE_SIZE,
  };
  const { data, previousData, error, refetch, fetchMore } = useQuery(JOIN_REQUESTS, {
    variables,
    fetchPolicy: "cache-and-network",
  });
  // The rows before stand until those of another filter are loaded, but not if that fails.
  const list = (data ?? (error ? undefined : previousData))?.joinRequests;
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [isLoadingAll, setIsLoadingAll] = useState(false);
  const decisions = useDecisions((decided) =>
    setSelected((before) => new Set([...before].filter((id) => !decided.has(id)))),
  );
  const listed = list?.edges.map(({ node }) => read(JOIN_REQUEST_ROW, node)) ?? [];
  const isListed = new Set(listed.map(({ id }) => id));
  // The list may be loaded again without a request that was decided elsewhere. Why it could not be decided stays in sight.
  const unlisted = [...decisions.failures.values()].flatMap(({ request }) =>
    isListed.has(request.id) ? [] : [request],
  );
  const requests = [...unlisted, ...listed];
  const open = requests.filter((request) => request.state === "PENDING").map(({ id }) => id);
  const chosen = open.filter((id) => selected.has(id));
  // What is selected stays until it is decided, since a shorter list would have a part of it.
  useArrivals(channelId, decisions.progress !== null || chosen.length > 0, () => {
    refetch().catch(() => {});
  });
  const filter = `${state} ${link}`;
  const shownFilter = useRef(filter);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has nothing selected, and nothing that failed.
  useEffect(() => {
    shownFilter.current = filter;
    setSelected(new Set());
    decisions.forget();
  }, [filter]);

  const toggle = (id: string) =>
    setSelected((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  async function selectAll(): Promise<void> {
    if (isLoadingAll) return;
    setIsLoadingAll(true);
    try {
      let page = list?.pageInfo;
      const ids = [...open];
      while (shownFilter.current === filter && page?.hasNextPage && ids.length < MOST_SELECTED) {
        const more = await fetchMore({ variables: { first: MOST, after: page.endCursor } });
        page = more.data?.joinRequests.pageInfo;
        for (const { node } of more.data?.joinRequests.edges ?? []) {
          const { id, state: its } = read(JOIN_REQUEST_ROW, node);
          if (its === "PENDING") ids.push(id);
        }
      }
      // What was selected by hand meanwhile stays, as does another list with nothing selected.
      setSelected((now) => (now === selected ? new Set(ids) : now));
    } catch {
      // The shell says that the server cannot be reached; what is selected stays.
    } finally {
      setIsLoadingAll(false);
    }
  }

  return (
    <main id="main" tabIndex={-1} className="requests">
      <div className="title-row">
        <h1>{t("pages.requests")}</h1>
        <span className="spring" />
        <label className="request-state">
          <span className="hidden">{t("links.state")}</span>
          <select
            value={state ?? "ALL"}
            onChange={({ target }) => setParameter("state", target.value.toLowerCase())}
          >
            {STATES.map((one) => (
              <option key={one} value={one}>
                {t(`requests.states.${one}`)}
              </option>
            ))}
            <option value="ALL">{t("requests.states.ALL")}</option>
          </select>
        </label>
      </div>
      <WaitingLinks
        chosen={link}
        onChoose={(id) => {
          setParameter("link", id);
          // The button that was pressed goes away.
          document.getElementById("main")?.focus();
        }}
      />
      <section className="card" aria-label={t("pages.requests")} aria-busy={data === undefined && !error}>
        <div className="request-head">
          {canEdit && open.length > 0 && (
            <label className="check">
              <input
                type="checkbox"
                checked={chosen.length === open.length}
                ref={(box) => {
                  if (box) box.indeterminate = chosen.length > 0 && chosen.length < open.length;
                }}
                onChange={() => setSelected(chosen.length === open.length ? new Set() : new Set(open))}
              />
              {t("requests.selectShown")}
            </label>
          )}
          <span className="muted" role="status" data-testid="request-count">
            {list && t("requests.count", { count: list.totalCount, shown: number(list.totalCount) })}
          </span>
          {canEdit && state === "PENDING" && list?.pageInfo.hasNextPage && (
            <button
              type="button"
              className="slim"
              aria-disabled={isLoadingAll}
              onClick={() => void selectAll()}
            >
              {t("requests.selectAll", {
                count: Math.min(list.totalCount, MOST_SELECTED),
                shown: number(Math.min(list.totalCount, MOST_SELECTED)),
              })}
            </button>
          )}
        </div>
        {list === undefined ? (
          <div className="request-note">
            <Loading error={error} refetch={refetch} />
          </div>
        ) : requests.length === 0 ? (
          <p className="nothing">{state === "PENDING" ? t("requests.nonePending") : t("requests.none")}</p>
        ) : (
          <ul className="things">
            {requests.map((request) => (
              <RequestRow
                key={request.id}
                request={request}
                isSelected={selected.has(request.id)}
                isBusy={decisions.progress !== null}
                error={decisions.failures.get(request.id)?.reason}
                canEdit={canEdit}
                onToggle={() => toggle(request.id)}
                onDecide={(decision) => void decisions.decide([request.id], decision)}
              />
            ))}
          </ul>
        )}
        {list?.pageInfo.hasNextPage && (
          <div className="request-note">
            <button
              type="button"
              onClick={() =>
                void fetchMore({ variables: { first: PAGE_SIZE, after: list.pageInfo.endCursor } }).catch(
                  () => {},
                )
              }
            >
              {t("links.showMore")}
            </button>
          </div>
        )}
      </section>
      {canEdit && (
        <DecisionBar selected={chosen} decisions={decisions} onClear={() => setSelected(new Set())} />
      )}
    </main>
  );
}
