import { useQuery } from "@apollo/client/react";
import { Suspense, useState } from "react";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { useMedia } from "../../ui/useMedia.js";
import { useChangedLinks } from "../links/changedLinks.js";
import { FilterChips } from "../links/FilterChips.js";
import { Filters } from "../links/Filters.js";
import { SUMMARY, SUMS, WIDE } from "../links/LinksPage.js";
import { Tiles } from "../links/Overview.js";
import { useView } from "../links/useView.js";
import { filterOf } from "../links/view.js";
import { Groups } from "./Groups.js";
import { JoinsChart } from "./JoinsChart.js";
import { usePerformanceView } from "./view.js";
import "./performance.css";

/** The queries of the page that a changed link may move. */
const COUNTED = ["Sums", "Joins", "Groups"];
const MOVED = { changed: ["Summary", ...COUNTED], counted: COUNTED };

/** What came of the links: who joined and left over time, and what that cost by tags or by the time of creation. */
export default function PerformancePage() {
  const { t } = useI18n();
  const { channelId, title, timeZone } = useChannel();
  const { view, changeView } = useView();
  const { span, by, order, change } = usePerformanceView();
  const [isFilterOpen, setIsFilterOpen] = useState(false);
  const isWide = useMedia(WIDE);
  const variables = { channelId, filter: filterOf(view, timeZone) };
  useChangedLinks(channelId, MOVED);
  const summary = useQuery(SUMMARY, { variables });
  const sums = useQuery(SUMS, { variables });
  const shown = summary.data ?? summary.previousData;
  const facets = shown?.inviteLinks.facets ?? [];
  const filters = <Filters view={view} onChange={changeView} facets={facets} />;
  const close = () => setIsFilterOpen(false);
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
            <h1>{t("pages.performance")}</h1>
            <p className="muted">{title === undefined ? "…" : <Name>{title}</Name>}</p>
          </div>
          <span className="spring" />
          {!isWide && (
            <button type="button" aria-haspopup="dialog" onClick={() => setIsFilterOpen(true)}>
              <Icon name="filter" /> {t("links.filters")}
            </button>
          )}
        </div>
        <FilterChips view={view} onChange={changeView} facets={facets} />
        <section
          className="overview card"
          aria-label={t("links.overview")}
          aria-busy={summary.data === undefined || sums.data === undefined}
        >
          <Tiles
            view={view}
            currency={shown?.channel?.currency}
            totalCount={shown?.inviteLinks.totalCount}
            totals={(sums.data ?? sums.previousData)?.inviteLinks.totals}
          />
        </section>
        <JoinsChart variables={variables} span={span} onSpan={(chosen) => change({ span: chosen })} />
        {shown && (
          <Groups
            view={view}
            variables={variables}
            currency={shown.channel?.currency ?? "USD"}
            types={facets.map(({ type }) => type)}
            by={by}
            order={order}
            onChange={change}
          />
        )}
      </main>
      <Suspense>
        {isFilterOpen && !isWide && (
          <Dialog title={t("links.filters")} kind="sheet" onClose={close}>
            {filters}
            <footer className="dialog-foot">
              <button type="button" className="primary" onClick={close}>
                {t("links.show", { count: shown?.inviteLinks.totalCount ?? 0 })}
              </button>
            </footer>
          </Dialog>
        )}
      </Suspense>
    </div>
  );
}
