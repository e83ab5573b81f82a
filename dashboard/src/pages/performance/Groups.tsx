import { useQuery } from "@apollo/client/react";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import type { GroupsQuery, InviteLinkFilter, InviteLinkGrouping } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { isAwaited, shownData } from "../../api/shownData.js";
import { useI18n } from "../../i18n/index.js";
import { type View, writeView } from "../../parts/filter/view.js";
import { SortHeader } from "../../parts/SortHeader.js";
import { useChannel } from "../../shell/channel.js";
import { bucketNames, type Unit } from "../../ui/chart/bucketNames.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { Segments } from "../../ui/Segments.js";
import { TagChip } from "../../ui/TagChip.js";
import { COLUMNS, type Column, isTime, type Order, type PerformanceView, TIMES, type Time } from "./view.js";

const GROUPS = graphql(`
  query Groups($channelId: TelegramID!, $filter: InviteLinkFilter, $by: InviteLinkGrouping!, $typeId: ID) {
    inviteLinks(channelId: $channelId, filter: $filter, first: 0) {
      groups(by: $by, tagTypeId: $typeId) {
        linkCount
        from
        tag {
          id
          name
          color
          ...TagChip
        }
        totals {
          joinCount
          activeCount
          budget
          costPerActiveMember
          retention {
            days
            rate
          }
        }
      }
    }
  }
`);

type Group = GroupsQuery["inviteLinks"]["groups"][number];

const GROUPINGS: Record<Time, { readonly by: InviteLinkGrouping; readonly unit: Unit }> = {
  day: { by: "CREATED_DAY", unit: "DAY" },
  week: { by: "CREATED_WEEK", unit: "WEEK" },
  month: { by: "CREATED_MONTH", unit: "MONTH" },
};

/** After so many days a member counts as one who stayed. */
const STAY_DAYS = 7;
/** Groups that are shown before the list is expanded. */
const MANY = 50;

/** Numbers give only the order and the lengths of the bars; the amounts shown are the server's exact texts. */
const VALUES: Record<Exclude<Column, "name">, (group: Group) => number | null> = {
  links: ({ linkCount }) => linkCount,
  joins: ({ totals }) => totals.joinCount,
  members: ({ totals }) => totals.activeCount,
  budget: ({ totals }) => Number(totals.budget),
  cost: ({ totals }) => (totals.costPerActiveMember == null ? null : Number(totals.costPerActiveMember)),
  stayed: ({ totals }) => totals.retention.find(({ days }) => days === STAY_DAYS)?.rate ?? null,
};

/** What is unknown comes last in both directions. */
function compare(one: number | null, other: number | null, isDescending: boolean): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  return isDescending ? other - one : one - other;
}

/** The server's order is that of names, or the latest time first. */
function sorted(groups: readonly Group[], { column, isDescending }: Order): Group[] {
  if (column === "name") {
    const isReversed = isDescending !== (groups[0]?.from != null);
    return isReversed ? groups.toReversed() : [...groups];
  }
  const measure = VALUES[column];
  return groups.toSorted((one, other) => compare(measure(one), measure(other), isDescending));
}

/** The links that match, in groups by the tags of a type or by their time of creation: as bars, and as numbers. */
export function Groups(props: {
  readonly view: View;
  readonly variables: { readonly channelId: number; readonly filter: InviteLinkFilter };
  readonly currency: string;
  readonly types: readonly { readonly id: string; readonly name: string }[];
  readonly by: string | null;
  readonly order: Order;
  readonly onChange: (change: Partial<PerformanceView>) => void;
}) {
  const { view, variables, currency, types, order, onChange } = props;
  const { t, number, money, percent, language } = useI18n();
  const { timeZone } = useChannel();
  const [isExpanded, setIsExpanded] = useState(false);
  // An unknown type stands for the first one.
  const type = isTime(props.by) ? undefined : (types.find(({ id }) => id === props.by) ?? types[0]);
  const time = isTime(props.by) ? props.by : "month";
  const { by, unit } = type ? { by: "TAG" as const, unit: "DAY" as const } : GROUPINGS[time];
  const query = useQuery(GROUPS, {
    variables: { ...variables, by, typeId: type?.id ?? null },
    fetchPolicy: "cache-and-network",
  });
  const groups = sorted(shownData(query)?.inviteLinks.groups ?? [], order);
  const shown = isExpanded ? groups : groups.slice(0, MANY);
  const measured = order.column === "name" ? "budget" : order.column;
  const longest = Math.max(...groups.map((group) => VALUES[measured](group) ?? 0), 0);
  const names = bucketNames(language, timeZone, unit);
  const nameOf = ({ tag, from }: Group): ReactNode => {
    if (from != null) return names.long(from);
    if (!type) return null;
    const without = tag === null || tag === undefined;
    const others = view.groups.filter((group) => group.type !== type.id);
    const chosen = { type: type.id, tags: without ? [] : [tag.id], without };
    return (
      <Link
        className="group-link"
        href={`/${writeView({ ...view, groups: [...others, chosen] }, location.search)}`}
      >
        {without ? t("links.without", { type: type.name }) : <TagChip tag={tag} />}
      </Link>
    );
  };
  return (
    <section className="card panel" aria-label={t("performance.groups")} aria-busy={isAwaited(query)}>
      <header className="panel-head">
        <h2>{t("performance.groups")}</h2>
        <Segments
          label={t("performance.groupBy")}
          values={[
            ...types.map(({ id, name }) => [id, name] as const),
            ...TIMES.map((one) => [one as string, t(`performance.by.${one}`)] as const),
          ]}
          chosen={type?.id ?? time}
          onChoose={(chosen) => onChange({ by: chosen })}
        />
      </header>
      {query.error && (
        <LoadProblem
          title={t("performance.failed")}
          error={query.error}
          onRetry={() => void query.refetch().catch(() => {})}
        />
      )}
      {groups.length === 0 ? (
        <p className="empty">{query.data ? t("links.noMatch") : !query.error && t("common.loading")}</p>
      ) : (
        <table className="groups">
          <thead>
            <tr>
              {COLUMNS.map((column) => {
                const isDescending = order.column === column ? order.isDescending : null;
                // The first click sorts names and costs in ascending order: the cheapest are what one looks for.
                const next = isDescending === null ? column !== "name" && column !== "cost" : !isDescending;
                return (
                  <SortHeader
                    key={column}
                    data-column={column}
                    title={
                      column === "name"
                        ? (type?.name ?? t("columns.created_at"))
                        : t(`performance.columns.${column}`)
                    }
                    isDescending={isDescending}
                    onSort={() => onChange({ order: { column, isDescending: next } })}
                  />
                );
              })}
            </tr>
          </thead>
          <tbody>
            {shown.map((group) => {
              const { tag, from, linkCount, totals } = group;
              const stayed = VALUES.stayed(group);
              const cells: Record<Exclude<Column, "name">, string> = {
                links: number(linkCount),
                joins: number(totals.joinCount),
                members: number(totals.activeCount),
                budget: money(totals.budget, currency),
                cost: totals.costPerActiveMember == null ? "–" : money(totals.costPerActiveMember, currency),
                stayed: stayed === null ? "–" : percent(stayed),
              };
              const value = VALUES[measured](group) ?? 0;
              return (
                <tr key={tag?.id ?? from ?? ""}>
                  <th scope="row">
                    {nameOf(group)}
                    <svg className="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
                      <rect className="bar-ground" width="100" height="1" />
                      <rect
                        width={longest === 0 ? 0 : (value / longest) * 100}
                        height="1"
                        fill={tag?.color ?? "var(--accent)"}
                      />
                    </svg>
                  </th>
                  {COLUMNS.filter((column) => column !== "name").map((column) => (
                    <td
                      key={column}
                      data-column={column}
                      data-label={t(`performance.columns.${column}`)}
                      data-sorted={column === order.column}
                    >
                      {cells[column]}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {groups.length > MANY && !isExpanded && (
        <button type="button" className="quiet" onClick={() => setIsExpanded(true)}>
          {t("chart.more", { count: groups.length - MANY, shown: number(groups.length - MANY) })}
        </button>
      )}
      {type && groups.length > 0 && <p className="small muted">{t("chart.several", { type: type.name })}</p>}
    </section>
  );
}
