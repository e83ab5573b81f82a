import { useQuery } from "@apollo/client/react";
import { type ReactNode, useState } from "react";
import { graphql } from "../../api/gql/index.js";
import { isAwaited, shownData } from "../../api/shownData.js";
import { useI18n } from "../../i18n/index.js";
import { filterOf, isFiltered, type View } from "../../parts/filter/view.js";
import { useChannel } from "../../shell/channel.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { TagChip } from "../../ui/TagChip.js";

/** The links that match, and all links of the channel, by the tags of one type. */
const BUDGETS = graphql(`
  query Budgets($channelId: TelegramID!, $filter: InviteLinkFilter, $typeId: ID!, $withAll: Boolean!) {
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      groups(by: TAG, tagTypeId: $typeId) {
        linkCount
        tag {
          id
          color
          ...TagChip
        }
        totals {
          budget
        }
      }
    }
    all: inviteLinks(channelId: $channelId, first: 0) @include(if: $withAll) {
      groups(by: TAG, tagTypeId: $typeId) {
        tag {
          id
        }
        totals {
          budget
        }
      }
    }
  }
`);

/** Bars that are shown before the list is expanded. */
const MANY = 6;

interface Bar {
  readonly key: string;
  readonly label: ReactNode;
  readonly color: string;
  readonly budget: string;
  readonly count: number;
  /** The budget of all links of the channel with the tag; null where they are not compared. */
  readonly all: string | null;
}

export function BudgetChart(props: {
  readonly currency: string;
  readonly types: readonly { readonly id: string; readonly name: string }[];
  readonly view: View;
  readonly onChoose: (type: string) => void;
}) {
  const { currency, types, view, onChoose } = props;
  const { t, number } = useI18n();
  const { channelId, timeZone } = useChannel();
  const [isCompared, setIsCompared] = useState(false);
  // An unknown id stands for the first type.
  const type = types.find(({ id }) => id === view.chart) ?? types[0];
  const withAll = isCompared && isFiltered(view);
  const budgets = useQuery(BUDGETS, {
    variables: { channelId, filter: filterOf(view, timeZone), typeId: type?.id ?? "", withAll },
    skip: type === undefined,
    fetchPolicy: "cache-and-network",
  });
  if (type === undefined) return null;
  const shown = shownData(budgets);
  const all = new Map(shown?.all?.groups.map(({ tag, totals }) => [tag?.id, totals.budget]));
  // Numbers give only the order and the lengths; the amounts shown are the server's exact texts.
  const bars: Bar[] = (shown?.inviteLinks.groups ?? [])
    .map(({ tag, totals, linkCount }) => ({
      key: tag?.id ?? "",
      label: tag ? <TagChip tag={tag} /> : t("links.without", { type: type.name }),
      color: tag?.color ?? "var(--faint)",
      budget: totals.budget,
      count: linkCount,
      all: withAll ? (all.get(tag?.id) ?? null) : null,
    }))
    .sort((one, other) => Number(other.budget) - Number(one.budget));
  const longest = Math.max(...bars.map(({ budget, all }) => Number(all ?? budget)), 0);
  const rows = (some: readonly Bar[]) => (
    <ul className="bars">
      {some.map((bar) => (
        <BarRow key={bar.key} bar={bar} longest={longest} currency={currency} />
      ))}
    </ul>
  );
  return (
    <div className="chart" aria-busy={isAwaited(budgets)}>
      <div className="chart-head">
        <label>
          <span className="hidden">{t("chart.type")}</span>
          <select value={type.id} onChange={({ target }) => onChoose(target.value)}>
            {types.map(({ id, name }) => (
              <option key={id} value={id} dir="auto">
                {name}
              </option>
            ))}
          </select>
        </label>
        {isFiltered(view) && (
          <label className="check">
            <input
              type="checkbox"
              checked={isCompared}
              onChange={({ target }) => setIsCompared(target.checked)}
            />
            {t("chart.compare")}
          </label>
        )}
      </div>
      {budgets.error && (
        <LoadProblem
          title={t("chart.failed")}
          error={budgets.error}
          onRetry={() => void budgets.refetch().catch(() => {})}
        />
      )}
      {rows(bars.slice(0, MANY))}
      {bars.length > MANY && (
        <details>
          <summary>
            {t("chart.more", { count: bars.length - MANY, shown: number(bars.length - MANY) })}
          </summary>
          {rows(bars.slice(MANY))}
        </details>
      )}
      <p className="small muted">{t("chart.several", { type: type.name })}</p>
    </div>
  );
}

function BarRow(props: { readonly bar: Bar; readonly longest: number; readonly currency: string }) {
  const { bar, longest, currency } = props;
  const { t, number, money } = useI18n();
  const widthOf = (amount: string) => (longest === 0 ? 0 : (Number(amount) / longest) * 100);
  return (
    <li>
      <span className="bar-label">{bar.label}</span>
      <svg className="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect className="bar-ground" width="100" height="1" />
        {bar.all !== null && <rect width={widthOf(bar.all)} height="1" fill={bar.color} opacity="0.3" />}
        <rect width={widthOf(bar.budget)} height="1" fill={bar.color} />
      </svg>
      <span className="bar-value">
        {money(bar.budget, currency)}
        {bar.all !== null && (
          <span className="small muted"> {t("chart.of", { amount: money(bar.all, currency) })}</span>
        )}
      </span>
      <span className="bar-count small muted">
        {t("chart.links", { count: bar.count, shown: number(bar.count) })}
      </span>
    </li>
  );
}
