import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import { BudgetChart } from "./BudgetChart.js";
import { Filters } from "./Filters.js";
import { money, number } from "./format.js";
import { type FragmentType, graphql, read } from "./gql/index.js";
import { Icon } from "./Icon.js";
import { CreateLink } from "./LinkDialogs.js";
import { LinkTable } from "./LinkTable.js";
import { TagsDialog } from "./TagsDialog.js";
import { useView } from "./useView.js";
import { filterOf, isFiltered } from "./view.js";

const CHANNEL_VIEW = graphql(`
  fragment ChannelView on Channel {
    telegramId
    title
    username
    currency
    botStatus
  }
`);

/** Counts and sums over all links that match; they do not depend on the order or on the rows shown. */
const SUMMARY = graphql(`
  query Summary($channelId: TelegramID!, $filter: InviteLinkFilter) {
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      totalCount
      totals {
        budget
      }
      facets {
        ...Facet
        ...TagChoice
        type {
          id
          name
        }
      }
    }
  }
`);

const BOT_WARNINGS = {
  READY: null,
  UNKNOWN: null,
  NOT_IN_CHANNEL: "The helper bot is not in this channel, so no links can be created.",
  MISSING_PERMISSION:
    "The helper bot has no right to invite users in this channel, so no links can be created.",
} as const;

export function ChannelView(props: {
  readonly channel: FragmentType<typeof CHANNEL_VIEW>;
  readonly canEdit: boolean;
}) {
  const { canEdit } = props;
  const { telegramId: channelId, title, username, currency, botStatus } = read(CHANNEL_VIEW, props.channel);
  const [view, changeView] = useView();
  const [dialog, setDialog] = useState<"create" | "tags" | null>(null);
  const [isFilterShown, setIsFilterShown] = useState(false);
  /** The last completed action, shown on the page and announced by screen readers. */
  const [done, setDone] = useState("");
  const filter = filterOf(view);
  const { data, previousData, error } = useQuery(SUMMARY, { variables: { channelId, filter } });
  // The previous summary stays visible while the next one is loaded, so that the layout does not jump.
  const summary = (data ?? previousData)?.inviteLinks;
  const warning = BOT_WARNINGS[botStatus];

  const finish = (message: string) => {
    setDialog(null);
    setDone(message);
  };
  return (
    <div className="columns">
      <aside id="filters" className="side" data-shown={isFilterShown} aria-label="Filters">
        <Filters view={view} onChange={changeView} facets={summary?.facets ?? []} />
      </aside>
      <main>
        <div className="title-row">
          <div>
            <h1>{title}</h1>
            <p className="muted">{username ? `@${username}` : channelId}</p>
          </div>
          <span className="spring" />
          <button
            type="button"
            className="narrow-only"
            aria-expanded={isFilterShown}
            aria-controls="filters"
            onClick={() => setIsFilterShown(!isFilterShown)}
          >
            <Icon name="filter" /> Filters
          </button>
          {canEdit && (
            <>
              <button type="button" onClick={() => setDialog("tags")}>
                <Icon name="tag" /> Tags
              </button>
              <button type="button" className="primary" onClick={() => setDialog("create")}>
                <Icon name="plus" /> New link
              </button>
            </>
          )}
        </div>
        {warning && <p className="problem">{warning}</p>}
        <p role="status" className={done === "" ? "hidden" : "done"}>
          {done}
        </p>
        {error && (
          <p role="alert" className="problem">
            The counts could not be loaded: {error.message}
          </p>
        )}
        <div className="overview" aria-busy={data === undefined}>
          <dl className="tiles">
            <div className="card tile">
              <dt>{isFiltered(view) ? "Matching links" : "Links"}</dt>
              <dd data-testid="count">{summary ? number(summary.totalCount) : "–"}</dd>
            </div>
            <div className="card tile">
              <dt>Total budget</dt>
              <dd data-testid="budget">{summary ? money(summary.totals.budget, currency) : "–"}</dd>
            </div>
          </dl>
          {summary && summary.facets.length > 0 && (
            <BudgetChart
              channelId={channelId}
              currency={currency}
              types={summary.facets.map(({ type }) => type)}
              chosen={view.chart}
              onChoose={(chart) => changeView({ chart }, "replace")}
            />
          )}
        </div>
        <LinkTable
          channelId={channelId}
          currency={currency}
          view={view}
          onChange={changeView}
          totalCount={summary?.totalCount}
          tagChoices={summary?.facets ?? []}
          canEdit={canEdit}
          onDone={setDone}
        />
      </main>
      {dialog === "create" && (
        <CreateLink
          channelId={channelId}
          currency={currency}
          tagChoices={summary?.facets ?? []}
          onDone={finish}
          onClose={() => setDialog(null)}
        />
      )}
      {dialog === "tags" && (
        <TagsDialog channelId={channelId} onDone={setDone} onClose={() => setDialog(null)} />
      )}
    </div>
  );
}
