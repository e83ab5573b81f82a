import fc from "fast-check";
import type { Database } from "../../../src/database/database.js";
import type { InviteLinkFilter } from "../../../src/domain/links/query/filter.js";
import { globalId, type IdKind, newId } from "../../../src/domain/shared/ids.js";
import { contains } from "../model.js";
import {
  type NewLink,
  type NewTag,
  type StoredChannel,
  storeChannel,
  storeLinks,
  storeTags,
  storeTagType,
} from "../support.js";

// Generated channels with tags and links, and generated filters, for the tests of pages and counts.

// Tags and links ────────────────────────────────────────────────────────────────────────

const NAMES = [
  "Ad",
  "ad",
  "AD",
  "Реклама",
  "реклама в июле",
  "ΟΔΟΣ",
  "οδός",
  "広告",
  "إعلان",
  "😀",
  "😀 b",
  "￼",
  "\u{10ffff}",
  "ﬁ",
  "100%",
  "a_b",
  "a b",
  "Z",
  "_",
  "é",
  "e\u0301",
  "ß",
  "SS",
  "İ",
  "\\",
  "'",
  "zz",
];
export const INSTANTS = [0, 1, 2, 999, 86_400_000].map(
  (offset) => Date.parse("2026-03-01T12:00:00.000Z") + offset,
);
const CREATORS = [null, 7, 8, 2 ** 52 - 1];
const EXPIRES = {
  never: null,
  past: new Date("2020-01-01T00:00:00Z"),
  future: new Date("2099-01-01T00:00:00Z"),
};
/** Not sorted. The last type has no tags. */
const TYPE_NAMES = ["Source", "country", "Ärger", "buyer"];
const TYPES = TYPE_NAMES.length;
/** Not sorted either, with or without regard to case. */
const TAG_NAMES = ["b", "A", "Я", "ä", "C", "_"];
const MAX_TAGS = TAG_NAMES.length;

const name = fc.option(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
    {
      weight: 1,
      arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }).filter((text) => !text.includes("\0")),
    },
  ),
  { nil: null, freq: 6 },
);

export const linkSeed = fc.record({
  rank: fc.nat(1_000),
  name,
  createdAt: fc.constantFrom(...INSTANTS).map((instant) => new Date(instant)),
  cents: fc.constantFrom(0n, 1n, 100n, 1_000n, 150_050n, 99_999_999_999_999n),
  creatorId: fc.constantFrom(...CREATORS),
  isRevoked: fc.boolean(),
  isBotCreated: fc.boolean(),
  expires: fc.constantFrom<keyof typeof EXPIRES>("never", "past", "future"),
  tags: fc.nat(2 ** MAX_TAGS - 1),
});
export type LinkSeed = typeof linkSeed extends fc.Arbitrary<infer T> ? T : never;

export const worldSeed = fc.record({
  /** The index of each tag's type; the last type has no tags. */
  tags: fc.array(fc.nat(TYPES - 2), { maxLength: MAX_TAGS, size: "max" }),
  links: fc.array(linkSeed, { maxLength: 25, size: "max" }),
});
export type WorldSeed = typeof worldSeed extends fc.Arbitrary<infer T> ? T : never;

/** A stored tag type. */
export interface NewType {
  readonly id: string;
  readonly name: string;
}

export interface World {
  readonly channel: StoredChannel;
  readonly types: readonly NewType[];
  readonly tags: readonly NewTag[];
  readonly links: readonly NewLink[];
}

export function toLinks(seeds: readonly LinkSeed[], tags: readonly NewTag[]): NewLink[] {
  // The ids have another order than all other columns.
  const ids = seeds.map(newId);
  return [...seeds]
    .map((seed, index) => ({ seed, index }))
    .sort((left, right) => left.seed.rank - right.seed.rank || left.index - right.index)
    .map(({ seed: { rank, expires, tags: carried, ...seed } }, place) => ({
      ...seed,
      id: ids[place] as string,
      expireDate: EXPIRES[expires],
      tags: tags.filter((_, index) => (carried >> index) & 1),
    }));
}

/** Stores the types that all worlds of a database share. */
export const storeTypes = (database: Database): Promise<NewType[]> =>
  Promise.all(TYPE_NAMES.map(async (name) => ({ id: await storeTagType(database, name), name })));

export async function store(database: Database, types: readonly NewType[], seed: WorldSeed): Promise<World> {
  const channel = await storeChannel(database);
  const tags = seed.tags.map((type, index) => ({
    id: newId(),
    typeId: types[type]?.id as string,
    name: TAG_NAMES[index] as string,
  }));
  await storeTags(database, channel.id, tags);
  const links = toLinks(seed.links, tags);
  await storeLinks(database, channel.id, links);
  return { channel, types, tags, links };
}

// Filters ───────────────────────────────────────────────────────────────────────────

/** Null most of the time, so that a filter has few conditions and leaves some links. */
const seldom = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: values });
const optionalFlag = fc.constantFrom(undefined, undefined, undefined, null, null, null, true, false);
const optionalInstant = seldom(
  fc.constantFrom(...INSTANTS, (INSTANTS[2] ?? 0) + 1, 0).map((instant) => new Date(instant)),
);
/** Ways in which a client may write an id. */
type Write = (kind: IdKind, id: string) => string;

const written = fc.constantFrom<Write>(
  globalId,
  (_kind, id) => id,
  (_kind, id) => id.toUpperCase(),
);

/** Groups that links often meet several of at once. */
export const tagGroupsSeed = fc.array(
  fc.record({
    type: fc.nat(TYPES - 2),
    withoutType: fc.constantFrom(false, false, false, true),
    tags: fc.oneof(fc.nat(2 ** MAX_TAGS - 1), fc.constant(2 ** MAX_TAGS - 1)),
    written,
  }),
  { minLength: 1, maxLength: 4 },
);

export const filterSeed = fc.record({
  name: seldom(
    fc.oneof(
      fc.constantFrom("", "%", "_", "\\", "'", "AD", "ре", "Σ", "😀", "fi", " ", "e", "SS"),
      fc.record({
        link: fc.nat(),
        from: fc.nat(),
        length: fc.nat(),
        casing: fc.constantFrom("asIs", "upper", "lower", "nfd"),
      }),
    ),
  ),
  creatorId: seldom(fc.constantFrom(7, 8, 2 ** 52 - 1, 99)),
  ids: seldom(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant<[number | null, Write][]>([]) },
      {
        weight: 4,
        arbitrary: fc.array(fc.tuple(fc.option(fc.nat(), { nil: null }), written), { maxLength: 12 }),
      },
    ),
  ),
  isRevoked: optionalFlag,
  isExpired: optionalFlag,
  isBotCreated: optionalFlag,
  createdFrom: optionalInstant,
  createdTo: optionalInstant,
  tagGroups: fc.option(
    fc.array(
      fc.record({
        type: fc.nat(TYPES - 1),
        withoutType: fc.boolean(),
        tags: fc.nat(2 ** MAX_TAGS - 1),
        written,
      }),
      { maxLength: 4 },
    ),
    { nil: null, freq: 3 },
  ),
});
export type FilterSeed = typeof filterSeed extends fc.Arbitrary<infer T> ? T : never;

export const pick = <T>(values: readonly T[], place: number): T | undefined =>
  values[place % Math.max(1, values.length)];

function cut(world: World, part: Exclude<FilterSeed["name"], string | null>): string {
  const points = Array.from(pick(world.links, part.link)?.name ?? "Ad");
  const from = part.from % Math.max(1, points.length);
  const text = points.slice(from, from + 1 + (part.length % Math.max(1, points.length - from))).join("");
  const casings = {
    asIs: text,
    upper: text.toUpperCase(),
    lower: text.toLowerCase(),
    nfd: text.normalize("NFD"),
  };
  return casings[part.casing as keyof typeof casings];
}

/** Whether a link passes the filter; with `facetOf`, whether it passes without the groups of that type. */
export type Passes = (link: NewLink, facetOf?: string) => boolean;

/** A filter as a caller gives it, and the model of the filter. */
export function toFilter(
  world: World,
  seed: FilterSeed,
  stranger: string,
): { filter: InviteLinkFilter; passes: Passes } {
  const part = seed.name === null ? null : typeof seed.name === "string" ? seed.name : cut(world, seed.name);
  const ids = seed.ids?.map(([link, write]) => ({
    id: (link === null ? undefined : pick(world.links, link)?.id) ?? stranger,
    write,
  }));
  const groups = seed.tagGroups?.map(({ type, withoutType, tags, written: write }) => ({
    typeId: world.types[type]?.id as string,
    withoutType,
    tags: world.tags
      .filter((tag, index) => tag.typeId === world.types[type]?.id && (tags >> index) & 1)
      .map(({ id }) => id),
    write,
  }));
  const { creatorId, isRevoked, isExpired, isBotCreated, createdFrom, createdTo } = seed;
  const filter: InviteLinkFilter = {
    name: part,
    creatorId,
    isRevoked,
    isExpired,
    isBotCreated,
    createdFrom,
    createdTo,
    ids: ids?.map(({ id, write }) => write("InviteLink", id)) ?? null,
    tagGroups:
      groups?.map(({ typeId, withoutType, tags, write }) => ({
        tagTypeId: write("TagType", typeId),
        withoutType,
        tagIds: tags.map((id) => write("Tag", id)),
      })) ?? null,
  };
  const now = Date.now();
  const passes: Passes = (link, facetOf) => {
    if (part !== null && part !== "" && !(link.name !== null && contains(link.name, part))) return false;
    if (creatorId !== null && link.creatorId !== creatorId) return false;
    if (ids && !ids.some(({ id }) => id === link.id)) return false;
    if (isRevoked != null && link.isRevoked !== isRevoked) return false;
    if (isBotCreated != null && link.isBotCreated !== isBotCreated) return false;
    if (isExpired != null && (link.expireDate !== null && link.expireDate.getTime() <= now) !== isExpired)
      return false;
    if (createdFrom !== null && link.createdAt.getTime() < createdFrom.getTime()) return false;
    if (createdTo !== null && link.createdAt.getTime() >= createdTo.getTime()) return false;
    return world.types.every(({ id: typeId }) => {
      if (typeId === facetOf) return true;
      const ofType = groups?.filter((group) => group.typeId === typeId) ?? [];
      const without = ofType.some(({ withoutType }) => withoutType);
      const tags = ofType.flatMap((group) => group.tags);
      if (tags.length === 0 && !without) return true;
      return (
        link.tags.some(({ id }) => tags.includes(id)) ||
        (without && !link.tags.some((tag) => tag.typeId === typeId))
      );
    });
  };
  return { filter, passes };
}
