import { useQuery } from "@apollo/client/react";
import { type ReactNode, useId } from "react";
import { money, number } from "./format.js";
import { graphql } from "./gql/index.js";
import { TagChip } from "./TagChip.js";

/** The server counts the links of all tags of the type in one statement. */
const BUDGETS = graphql(`
  query Budgets($channelId: TelegramID!, $typeId: ID!, $without: InviteLinkFilter!) {
    tags(channelId: $channelId, typeId: $typeId, first: 100) {
      pageInfo {
        hasNextPage
      }
      nodes {
        id
        color
        ...TagChip
        inviteLinks(first: 0) {
          totalCount
          totals {
            budget
          }
        }
      }
    }
    inviteLinks(channelId: $channelId, filter: $without, first: 0) {
      totalCount
      totals {
        budget
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
}

export function BudgetChart(props: {
  readonly channelId: number;
  readonly currency: string;
  readonly types: readonly { readonly id: string; readonly name: string }[];
  /** A tag type's id; null or an unknown id stands for the first type. */
  readonly chosen: string | null;
  readonly onChoose: (type: string) => void;
}) {
  const { channelId, currency, types, chosen, onChoose } = props;
  const titleId = useId();
  const type = types.find(({ id }) => id === chosen) ?? types[0];
  const { data, previousData, error } = useQuery(BUDGETS, {
    variables: {
      channelId,
      typeId: type?.id ?? "",
      without: { tagGroups: [{ tagTypeId: type?.id ?? "", withoutType: true }] },
    },
    skip: type === undefined,
  });
  if (type === undefined) return null;
  const shown = data ?? previousData;
  // Numbers give only the order and the lengths; the amounts shown are the server's exact texts.
  const bars: Bar[] = (shown?.tags.nodes ?? [])
    .map((tag) => ({
      key: tag.id,
      label: <TagChip tag={tag} />,
      color: tag.color,
      budget: tag.inviteLinks.totals.budget,
      count: tag.inviteLinks.totalCount,
    }))
    .sort((one, other) => Number(other.budget) - Number(one.budget));
  const untagged: Bar[] =
    shown && shown.inviteLinks.totalCount > 0
      ? [
          {
            key: "without",
            label: <span className="muted">without {type.name}</span>,
            color: "var(--faint)",
            budget: shown.inviteLinks.totals.budget,
            count: shown.inviteLinks.totalCount,
          },
        ]
      : [];
  const longest = Math.max(...[...bars, ...untagged].map(({ budget }) => Number(budget)), 0);
  const rows = (some: readonly Bar[]) => (
    <ul className="bars">
      {some.map((bar) => (
        <BarRow
          key={bar.key}
          bar={bar}
          share={longest === 0 ? 0 : Number(bar.budget) / longest}
          currency={currency}
        />
      ))}
    </ul>
  );
  return (
    <section className="card chart" aria-labelledby={titleId} aria-busy={data === undefined}>
      <header>
        <h2 id={titleId}>Budget by tag</h2>
        <label>
          <span className="hidden">Tag type of the chart</span>
          <select value={type.id} onChange={({ target }) => onChoose(target.value)}>
            {types.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </header>
      {error && (
        <p role="alert" className="problem">
          {error.message}
        </p>
      )}
      {rows([...bars.slice(0, MANY), ...untagged])}
      {bars.length > MANY && (
        <details>
          <summary>{number(bars.length - MANY)} more</summary>
          {rows(bars.slice(MANY))}
        </details>
      )}
      <p className="small muted">
        Counts all links of the channel, without the filter. A link with several {type.name} tags counts for
        each of them.{shown?.tags.pageInfo.hasNextPage && " Shows only the first 100 tags by name."}
      </p>
    </section>
  );
}

function BarRow(props: { readonly bar: Bar; readonly share: number; readonly currency: string }) {
  const { bar, share, currency } = props;
  return (
    <li>
      <span className="bar-label">{bar.label}</span>
      <svg className="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect className="bar-ground" width="100" height="1" />
        <rect width={share * 100} height="1" fill={bar.color} />
      </svg>
      <span className="bar-value">
        {money(bar.budget, currency)}
        <span className="small muted">
          {number(bar.count)} {bar.count === 1 ? "link" : "links"}
        </span>
      </span>
    </li>
  );
}
