import { useI18n } from "../../i18n/index.js";
import { FilteredPage } from "../../parts/filter/FilteredPage.js";
import { Tiles } from "../../parts/filter/Tiles.js";
import { useFilteredLinks } from "../../parts/filter/useFilteredLinks.js";
import { useChangedLinks } from "../../parts/link/changedLinks.js";
import { useChannel } from "../../shell/channel.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { Name } from "../../ui/Name.js";
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
  const { channelId, title } = useChannel();
  const links = useFilteredLinks();
  const { view, variables, channel, types, isBusy, error, retry } = links;
  const { span, by, order, change } = usePerformanceView();
  useChangedLinks(channelId, MOVED);
  return (
    <FilteredPage
      links={links}
      title={t("pages.performance")}
      subtitle={title === undefined ? "…" : <Name>{title}</Name>}
    >
      {error && <LoadProblem title={t("links.sumsFailed")} error={error} onRetry={retry} />}
      <section className="overview card" aria-label={t("links.overview")} aria-busy={isBusy}>
        <Tiles links={links} />
      </section>
      <JoinsChart variables={variables} span={span} onSpan={(chosen) => change({ span: chosen })} />
      {channel !== null && (
        <Groups
          view={view}
          variables={variables}
          currency={channel.currency}
          types={types}
          by={by}
          order={order}
          onChange={change}
        />
      )}
    </FilteredPage>
  );
}
