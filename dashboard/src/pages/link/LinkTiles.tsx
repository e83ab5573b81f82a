import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";

const LINK_TILES = graphql(`
  fragment LinkTiles on InviteLink {
    budget
    stats {
      joinCount
      uniqueJoinCount
      activeCount
      leaveCount
      removedCount
      joinRequestCount
      pendingJoinRequestCount
      costPerJoin
      costPerActiveMember
      retention {
        days
        joinCount
        rate
      }
    }
  }
`);

/** After so many days a member counts as one who stayed. */
const STAY_DAYS = 7;

/** The numbers of a link. */
export function LinkTiles(props: {
  readonly link: FragmentType<typeof LINK_TILES>;
  readonly currency: string;
}) {
  const { t, number, money, percent } = useI18n();
  const { budget, stats } = read(LINK_TILES, props.link);
  const amount = (exact: string | null | undefined) => (exact == null ? "–" : money(exact, props.currency));
  const rate = stats.retention.find(({ days }) => days === STAY_DAYS)?.rate;
  const asked =
    stats.pendingJoinRequestCount > 0
      ? t("link.pending", {
          count: stats.pendingJoinRequestCount,
          shown: number(stats.pendingJoinRequestCount),
        })
      : "";
  const tiles: readonly (readonly [id: string, title: string, value: string, more?: string])[] = [
    [
      "joins",
      t("columns.joins"),
      number(stats.joinCount),
      t("link.people", { count: stats.uniqueJoinCount, shown: number(stats.uniqueJoinCount) }),
    ],
    ["members", t("links.activeMembers"), number(stats.activeCount)],
    [
      "left",
      t("link.left"),
      number(stats.leaveCount),
      stats.removedCount > 0 ? t("link.removed", { shown: number(stats.removedCount) }) : "",
    ],
    ...(stats.joinRequestCount > 0
      ? [["requests", t("link.requests"), number(stats.joinRequestCount), asked] as const]
      : []),
    ["budget", t("columns.budget"), amount(budget)],
    ["costPerJoin", t("columns.costPerJoin"), amount(stats.costPerJoin)],
    ["cost", t("columns.costPerMember"), amount(stats.costPerActiveMember)],
    ["stayed", t("link.stayed"), rate == null ? "–" : percent(rate)],
  ];
  return (
    <section className="overview card" aria-label={t("links.overview")}>
      <dl className="tiles">
        {tiles.map(([id, title, value, more]) => (
          <div key={id} className="tile">
            <dt>{title}</dt>
            <dd data-testid={id}>{value}</dd>
            {more && <dd className="tile-more">{more}</dd>}
          </div>
        ))}
      </dl>
    </section>
  );
}
