import { useI18n } from "../../i18n/index.js";
import type { FilteredLinks } from "./useFilteredLinks.js";
import { isFiltered } from "./view.js";

/** Counts and sums over all links that match. */
export function Tiles({ links }: { readonly links: FilteredLinks }) {
  const { view, channel, totalCount, totals } = links;
  const { t, number, money } = useI18n();
  const amount = (exact: string | null | undefined) =>
    exact == null || channel === null ? "–" : money(exact, channel.currency);
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
