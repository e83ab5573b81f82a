import type { Database } from "../../../database/database.js";
import { Problems } from "../../shared/errors.js";
import { parseId } from "../../shared/ids.js";
import { lazy } from "../../shared/lazy.js";
import type { Tag } from "../../tags/tag.js";
import { bucketsOf, type CalendarUnit, type SeriesArguments } from "../../time/buckets.js";
import type { SeriesBucket } from "../../time/series.js";
import { parseTimeZone } from "../../time/timeZone.js";
import { countFacets, type FacetCounts, type TagTypeFacet, toFacets } from "../counts/facets.js";
import { type LinkTotals, NO_TOTALS, totalLinks } from "../counts/totals.js";
import type { Loaders } from "../linkLoaders.js";
import type { LinkSelection } from "../selection.js";
import { type GroupedBy, groupLinks, type LinkGroup } from "../stats/groups.js";
import { seriesOfSelection } from "../stats/linkSeries.js";
import { type MemberSums, NO_SUMS } from "../stats/memberCounts.js";
import { type MemberTotals, totalMembers } from "../stats/memberTotals.js";
import { NO_RETENTION, type Retention, retentionOfSelection } from "../stats/retention.js";
import type { TagLinkLoaders } from "./tagLinkLoaders.js";

export type InviteLinkGrouping = "TAG" | "CREATOR" | "CREATED_DAY" | "CREATED_WEEK" | "CREATED_MONTH";

export interface GroupArguments {
  readonly by: InviteLinkGrouping;
  /** A global id or a bare UUID: demanded with TAG, and refused otherwise. */
  readonly tagTypeId?: string | null | undefined;
  /** The IANA name of a time zone; null for the channel's own. */
  readonly timeZone?: string | null | undefined;
}

/**
 * What is computed over all links of a list, on every page. Each method sends its statement when it is first called, and
 * for `groups` and `series` each time.
 */
export interface LinkSums {
  totals(): Promise<LinkTotals>;
  members(): Promise<Omit<MemberSums, "removedCount">>;
  /** Read apart, because the members of all links of a channel are read without it. */
  removedCount(): Promise<number>;
  /** After each of the numbers of days, in their order. */
  retention(): Promise<readonly Retention[]>;
  /** One facet for each type that has a tag in the channel, by name. */
  facets(): Promise<readonly TagTypeFacet[]>;
  /** @throws ValidationError */
  groups(args: GroupArguments): Promise<readonly LinkGroup[]>;
  /** @throws ValidationError */
  series(args: SeriesArguments): Promise<readonly SeriesBucket[]>;
}

const UNITS: Readonly<Partial<Record<InviteLinkGrouping, CalendarUnit>>> = {
  CREATED_DAY: "DAY",
  CREATED_WEEK: "WEEK",
  CREATED_MONTH: "MONTH",
};

/** @throws ValidationError */
async function readGrouping(
  { by, tagTypeId, timeZone }: GroupArguments,
  timeZoneOfChat: () => Promise<string>,
  loaders: Loaders,
): Promise<GroupedBy> {
  const problems = new Problems();
  const typeId = tagTypeId == null ? null : parseId("TagType", tagTypeId, "tagTypeId", problems);
  if (by === "TAG" && tagTypeId == null) problems.add("tagTypeId", "Must be given to group by tags.");
  if (by !== "TAG" && tagTypeId != null) problems.add("tagTypeId", "Only groups by tags have a tag type.");
  if (by === "TAG" && typeId !== null && (await loaders.tagType.load(typeId)) === null)
    problems.add("tagTypeId", "There is no such tag type.");
  const unit = UNITS[by];
  const name = timeZone ?? (unit === undefined ? "UTC" : await timeZoneOfChat());
  const zone = parseTimeZone(name, "timeZone", problems);
  problems.check();
  if (unit !== undefined && zone !== null) return { by: "CREATED", unit, zone };
  return typeId === null ? { by: "CREATOR" } : { by: "TAG", typeId };
}

interface SumServices {
  readonly database: Database;
  readonly loaders: Loaders;
  readonly chatId: number;
}

const timeZoneOf = async ({ loaders, chatId }: SumServices): Promise<string> =>
  (await loaders.channelByChatId.load(chatId))?.timeZone ?? "UTC";

async function facetsOf(
  { loaders, chatId }: SumServices,
  counting: Promise<FacetCounts>,
): Promise<TagTypeFacet[]> {
  const [types, counts] = await Promise.all([loaders.tagsOfChat.load(chatId), counting]);
  return toFacets(types, counts);
}

async function groupsOf(
  services: SumServices,
  selection: LinkSelection,
  args: GroupArguments,
): Promise<LinkGroup[]> {
  const grouped = await readGrouping(args, () => timeZoneOf(services), services.loaders);
  return groupLinks(services.database, selection, grouped, new Date());
}

/** Nothing is prepared for a page that shows no members. */
function membersOf(database: Database, selection: LinkSelection): Pick<LinkSums, "members" | "removedCount"> {
  let totals: MemberTotals | undefined;
  const prepared = (): MemberTotals => {
    totals ??= totalMembers(database, selection);
    return totals;
  };
  return { members: () => prepared().sums(), removedCount: () => prepared().removedCount() };
}

/** The sums over the selected links. */
export const sumsOfSelection = (services: SumServices, selection: LinkSelection): LinkSums => ({
  totals: lazy(() => totalLinks(services.database, selection)),
  ...membersOf(services.database, selection),
  retention: lazy(() => retentionOfSelection(services.database, selection, new Date())),
  facets: lazy(() => facetsOf(services, countFacets(services.database, selection))),
  groups: (args) => groupsOf(services, selection, args),
  series: async (args) =>
    seriesOfSelection(
      services.database,
      selection,
      bucketsOf(args, args.timeZone ?? (await timeZoneOf(services))),
    ),
});

/** The sums over the links that carry a tag. Each is read for many tags in one statement. */
export const sumsOfTag = (services: SumServices, tag: Tag, ofTags: TagLinkLoaders): LinkSums => ({
  totals: () => ofTags.totals.load(tag),
  members: () => ofTags.members.load(tag),
  removedCount: async () => (await ofTags.members.load(tag)).removedCount,
  retention: () => ofTags.retention.load(tag),
  facets: () => facetsOf(services, ofTags.facetCounts.load(tag)),
  groups: async (args) =>
    ofTags.groups(tag, await readGrouping(args, () => timeZoneOf(services), services.loaders)),
  series: async (args) => ofTags.series(tag, bucketsOf(args, args.timeZone ?? (await timeZoneOf(services)))),
});

/** The sums of a channel that is not there. Arguments are checked as for any other. */
export const sumsOfNothing = ({ loaders }: Pick<SumServices, "loaders">): LinkSums => ({
  totals: async () => NO_TOTALS,
  members: async () => NO_SUMS,
  removedCount: async () => 0,
  retention: async () => NO_RETENTION,
  facets: async () => [],
  async groups(args) {
    await readGrouping(args, async () => "UTC", loaders);
    return [];
  },
  async series(args) {
    const { buckets } = bucketsOf(args, args.timeZone ?? "UTC");
    return buckets.map((bucket) => ({
      ...bucket,
      joinCount: 0,
      leaveCount: 0,
      joinRequestCount: 0,
      activeCount: 0,
    }));
  },
});
