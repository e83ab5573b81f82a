import { useState } from "react";
import type { SummaryQuery, SumsQuery } from "../../api/gql/graphql.js";
import { useI18n } from "../../i18n/index.js";
import { BudgetChart } from "./BudgetChart.js";
import type { ChangeView } from "./useView.js";
import { isFiltered, type View } from "./view.js";

/** The key in localStorage under which is kept that the chart is folded. */
const KEY = "invite-links-chart-folded";

/** Counts and sums over all links that match. */
export function Tiles(props: {
  readonly view: View;
  readonly currency: string | undefined;
  readonly totalCount: number | undefined;
  readonly totals: SumsQuery["inviteLinks"]["totals"] | undefined;
}) {
  const { view, currency, totalCount, totals } = props;
  const { t, number, money } = useI18n();
  const amount = (exact: string | null | undefined) =>
    exact == null || currency === undefined ? "–" : money(exact, currency);
  return (
    <dl className="tiles">
      <div className="tile">
        <dt>{isFiltered(view) ? t("links.matching") : t("links.active")}</dt>
        <dd data-testid="count">{totalCount === undefined ? "–" : number(totalCount)}</dd>
      </div>
      <div className="tile">
        <dt>{t("columns.joins")}</dt>
        <dd data-testid="joins">{totals ? number(totals.joinCount) : "–"}</dd>
      </div>
      <div className="tile">
        <dt>{t("links.activeMembers")}</dt>
        <dd data-testid="members">{totals ? number(totals.activeCount) : "–"}</dd>
      </div>
      <div className="tile">
        <dt>{t("links.totalBudget")}</dt>
        <dd data-testid="budget">{amount(totals?.budget)}</dd>
      </div>
      <div className="tile">
        <dt>{t("columns.costPerMember")}</dt>
        <dd data-testid="cost">{amount(totals?.costPerActiveMember)}</dd>
      </div>
    </dl>
  );
}

/** Counts and sums over all links that match, and the chart, which folds. */
export function Overview(props: {
  readonly view: View;
  readonly onChange: ChangeView;
  readonly currency: string | undefined;
  readonly summary: Pick<SummaryQuery["inviteLinks"], "totalCount"> | undefined;
  readonly totals: SumsQuery["inviteLinks"]["totals"] | undefined;
  readonly types: readonly { readonly id: string; readonly name: string }[];
  readonly isBusy: boolean;
}) {
  const { view, onChange, currency, summary, totals, types, isBusy } = props;
  const { t } = useI18n();
  const [isOpen, setIsOpen] = useState(() => localStorage.getItem(KEY) === null);
  return (
    <section className="overview card" aria-label={t("links.overview")} aria-busy={isBusy}>
      <Tiles view={view} currency={currency} totalCount={summary?.totalCount} totals={totals} />
      {types.length > 0 && currency !== undefined && (
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
              currency={currency}
              types={types}
              view={view}
              onChoose={(chart) => onChange({ chart }, "replace")}
            />
          )}
        </details>
      )}
    </section>
  );
}
