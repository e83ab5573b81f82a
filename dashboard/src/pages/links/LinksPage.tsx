import { CombinedGraphQLErrors } from "@apollo/client";
import { useQuery } from "@apollo/client/react";
import { lazy, Suspense, useState } from "react";
import { graphql } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { useKey } from "../../shell/keys.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { useMedia } from "../../ui/useMedia.js";
import { useChangedLinks } from "./changedLinks.js";
import { FilterChips } from "./FilterChips.js";
import { Filters } from "./Filters.js";
import type { LinkAction } from "./LinkRow.js";
import { LinkTable } from "./LinkTable.js";
import type { LostCreation } from "./lostCreations.js";
import { Overview } from "./Overview.js";
import { Search } from "./Search.js";
import { UncertainCreations } from "./UncertainCreations.js";
import { clearFilter, useView } from "./useView.js";
import { filterOf, isFiltered } from "./view.js";
import "./links.css";

const BotNotice = lazy(() => import("./BotNotice.js"));
const DroppedNotice = lazy(() => import("./DroppedNotice.js"));
const FiltersDialog = lazy(() => import("./FiltersDialog.js"));
const CreateLink = lazy(() => import("./CreateLink.js"));
const EditLink = lazy(() => import("./EditLink.js"));
const RevokeLink = lazy(() => import("./RevokeLink.js"));
const QrDialog = lazy(() => import("./QrDialog.js"));
const TagsDialog = lazy(() => import("./TagsDialog.js"));

/** The channel, with counts and sums over all links that match; they do not depend on the order or on the rows shown. */
export const SUMMARY = graphql(`
  query Summary($channelId: TelegramID!, $filter: InviteLinkFilter) {
    channel(telegramId: $channelId) {
      id
      currency
      botStatus
      ...BotNotice
    }
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      totalCount
      facets {
        ...Facet
        ...TagChoice
        ...FilterChip
        type {
          id
          name
        }
      }
    }
  }
`);

/** Sums over all links that match. They are a query of their own, since they move with each member who comes. */
export const SUMS = graphql(`
  query Sums($channelId: TelegramID!, $filter: InviteLinkFilter) {
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      totals {
        joinCount
        activeCount
        budget
        costPerActiveMember
      }
    }
  }
`);

type OpenDialog =
  | LinkAction
  | { readonly kind: "create"; readonly again: LostCreation | null }
  | { readonly kind: "tags" | "filters" };

/** The width from which the filters stand beside the table. */
export const WIDE = "(min-width: 70rem)";

/** The queries of the page that a changed link may move. */
const MOVED = { changed: ["Summary", "Sums", "Links", "Budgets"], counted: ["Sums"] };

/** The links of a channel. */
export default function LinksPage() {
  const { t } = useI18n();
  const { channelId, title, username, timeZone, canEdit } = useChannel();
  const { view, dropped, changeView } = useView();
  const [dialog, setDialog] = useState<OpenDialog | null>(null);
  const isWide = useMedia(WIDE);
  const filter = filterOf(view, timeZone);
  useChangedLinks(channelId, MOVED);
  const { data, previousData, error } = useQuery(SUMMARY, { variables: { channelId, filter } });
  const sums = useQuery(SUMS, { variables: { channelId, filter } });
  // The previous summary stays visible while the next one is loaded, so that the layout does not jump.
  const shown = data ?? previousData;
  const summary = shown?.inviteLinks;
  const facets = summary?.facets ?? [];
  const currency = shown?.channel?.currency;
  const isRefused = CombinedGraphQLErrors.is(error);
  const isOdd = isRefused || dropped.length > 0;
  const [wasOdd, setWasOdd] = useState(isOdd);
  if (isOdd && !wasOdd) setWasOdd(true);
  const close = () => setDialog(null);
  useKey("n", canEdit ? () => setDialog({ kind: "create", again: null }) : null);
  const filters = <Filters view={view} onChange={changeView} facets={facets} />;

  return (
    <div className="columns">
      {isWide && (
        <aside className="side" aria-label={t("links.filters")}>
          {filters}
        </aside>
      )}
      <main id="main" tabIndex={-1}>
        <div className="title-row">
          <div className="title">
            <h1>{title === undefined ? "…" : <Name>{title}</Name>}</h1>
            <p className="muted">{username ? `@${username}` : channelId}</p>
          </div>
          <span className="spring" />
          {!isWide && (
            <button type="button" aria-haspopup="dialog" onClick={() => setDialog({ kind: "filters" })}>
              <Icon name="filter" /> {t("links.filters")}
            </button>
          )}
          {canEdit && (
            <>
              <button type="button" onClick={() => setDialog({ kind: "tags" })}>
                <Icon name="tag" /> {t("links.tags")}
              </button>
              <button
                type="button"
                className="primary"
                aria-keyshortcuts="n"
                onClick={() => setDialog({ kind: "create", again: null })}
              >
                <Icon name="plus" /> {t("links.create")}
              </button>
            </>
          )}
        </div>
        <Suspense>
          {shown?.channel && shown.channel.botStatus !== "READY" && <BotNotice channel={shown.channel} />}
        </Suspense>
        <UncertainCreations onRepeat={(again) => setDialog({ kind: "create", again })} />
        {/* Always there, since screen readers announce what is added to it. */}
        <div role="status">
          <Suspense>
            {wasOdd && (
              <DroppedNotice
                channelId={channelId}
                view={view}
                dropped={dropped}
                isRefused={isRefused}
                onChange={changeView}
              />
            )}
          </Suspense>
        </div>
        <Overview
          view={view}
          onChange={changeView}
          currency={currency}
          summary={summary}
          totals={(sums.data ?? sums.previousData)?.inviteLinks.totals}
          types={facets.map(({ type }) => type)}
          isBusy={data === undefined || sums.data === undefined}
        />
        <Search search={view.search} onChange={(search) => changeView({ search }, "replace")} />
        <FilterChips view={view} onChange={changeView} facets={facets} />
        <LinkTable view={view} onChange={changeView} totalCount={summary?.totalCount} onAct={setDialog} />
      </main>
      <Suspense>
        {dialog?.kind === "filters" && !isWide && (
          <FiltersDialog count={summary?.totalCount ?? 0} onClose={close}>
            {filters}
          </FiltersDialog>
        )}
        {dialog?.kind === "create" && (
          <CreateLink
            currency={currency ?? ""}
            tagChoices={facets}
            again={dialog.again}
            isHidden={isFiltered(view)}
            onShow={() => clearFilter(changeView)}
            onQr={(link) => setDialog({ kind: "qr", link })}
            onClose={close}
          />
        )}
        {dialog?.kind === "edit" && (
          <EditLink link={dialog.link} currency={currency ?? ""} tagChoices={facets} onClose={close} />
        )}
        {dialog?.kind === "revoke" && <RevokeLink link={dialog.link} onClose={close} />}
        {dialog?.kind === "qr" && (
          <QrDialog url={dialog.link.url} name={dialog.link.name ?? t("links.unnamed")} onClose={close} />
        )}
        {dialog?.kind === "tags" && <TagsDialog onClose={close} />}
      </Suspense>
    </div>
  );
}
