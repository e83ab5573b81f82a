import { useState } from "react";
import { useI18n } from "../../i18n/index.js";
import { Tiles } from "../../parts/filter/Tiles.js";
import type { FilteredLinks } from "../../parts/filter/useFilteredLinks.js";
import { BudgetChart } from "./BudgetChart.js";

/** The key in localStorage under which is kept that the chart is folded. */
const KEY = "invite-links-chart-folded";

/** Counts and sums over all links that match, and the chart, which folds. */
export function Overview({ links }: { readonly links: FilteredLinks }) {
  const { view, changeView, channel, types, isBusy } = links;
  const { t } = useI18n();
  const [isOpen, setIsOpen] = useState(() => localStorage.getItem(KEY) === null);
  return (
    <section className="overview card" aria-label={t("links.overview")} aria-busy={isBusy}>
      <Tiles links={links} />
      {types.length > 0 && channel !== null && (
        <details
          className="chart-fold"
          open={isOpen}
          onToggle={({ currentTarget }) => {
            setIsOpen(currentTarget.open);
            if (currentTarget.open) localStorage.removeItem(KEY);
            else localStorage.setItem(KEY, "true");
          }}
        >
          <summary>{t("chart.title")}</summary>
          {isOpen && (
            <BudgetChart
              currency={channel.currency}
              types={types}
              view={view}
              onChoose={(chart) => changeView({ chart }, "replace")}
            />
          )}
        </details>
      )}
    </section>
  );
}
