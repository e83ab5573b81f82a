import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createLoaders } from "../../../src/domain/loaders.js";
import { ForbiddenError, NotFoundError, ValidationError } from "../../../src/domain/shared/errors.js";
import { globalId, type IdKind, newId } from "../../../src/domain/shared/ids.js";
import { TagCommands } from "../../../src/domain/tags/tagCommands.js";
import { Tags } from "../../../src/domain/tags/tagQueries.js";
import { TagTypes } from "../../../src/domain/tags/tagTypes.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { propertyInTime } from "../../support/properties.js";
import { compareIds } from "../model.js";
import { callerOf, newChatId, type StoredChannel, storeChannel, storeLinks } from "../support.js";
import { type Color, type Name, type Refusal, TagModel } from "./model.js";

/** Few names, so that commands conflict. */
const NAMES: readonly Name[] = [
  { given: "Ad", kept: "Ad", key: "ad" },
  { given: " AD\n", kept: "AD", key: "ad" },
  { given: "ａｄ", kept: "ａｄ", key: "ad" },
  { given: "Straße", kept: "Straße", key: "street" },
  { given: "STRAẞE", kept: "STRAẞE", key: "street" },
  { given: "ΟΔΟΣ", kept: "ΟΔΟΣ", key: "odos" },
  { given: "οδος", kept: "οδος", key: "odos" },
  { given: "a\0", kept: null, key: "" },
];
const COLORS: readonly Color[] = [
  { given: "#abcdef", kept: "#ABCDEF" },
  { given: "#ABCDEF", kept: "#ABCDEF" },
  { given: "#000000", kept: "#000000" },
  { given: "#00000a", kept: "#00000A" },
  { given: "#FFFFFF", kept: "#FFFFFF" },
  { given: "black", kept: null },
];
const CHANNELS = 2;

/** One of the existing rows; with `any`, one of all that ever existed or one that never did. */
interface Which {
  readonly place: number;
  readonly any: boolean;
  readonly global: boolean;
}

/** A database with two channels and a link in each, with its model. */
interface Run {
  readonly model: TagModel;
  readonly tags: TagCommands;
  readonly types: TagTypes;
  readonly channels: readonly StoredChannel[];
  readonly linkIds: readonly string[];
  /** The index of the only channel whose tags the caller may see; null for every channel. */
  readonly seen: number | null;
  readonly typeIds: string[];
  readonly tagIds: string[];
}

const LINKS_CREATED_AT = new Date();

interface Step {
  /** Runs the command in the domain. @returns the id of the row that was created, updated or deleted. */
  take(run: Run): Promise<string>;
  /** Runs the command in the model; `id` is the id that the domain returned. */
  expect(run: Run, id: string): Refusal | null;
}

const sometimes = fc.nat(9).map((digit) => digit === 0);
const name = fc.constantFrom(...NAMES);
const color = fc.constantFrom(...COLORS);
/** The index of a channel, or of one that does not exist. */
const channel = fc.constantFrom(0, 0, 0, 1, 1, CHANNELS);
const which = fc.record({ place: fc.nat(20), any: sometimes, global: fc.boolean() });
/** A field that is left out, null or given. */
const maybe = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 15, arbitrary: value },
  );

const UNKNOWN_CHAT = newChatId();
const chatOf = (run: Run, place: number) => run.channels[place]?.chatId ?? UNKNOWN_CHAT;
const idOf = (there: Iterable<string>, ever: readonly string[], { place, any }: Which) => {
  const ids = any ? ever : [...there];
  return ids[place % ids.length] ?? (ever[0] as string);
};
const typeOf = ({ model, typeIds }: Run, type: Which) => idOf(model.types.keys(), typeIds, type);
const tagOf = ({ model, tagIds }: Run, tag: Which) => idOf(model.tags.keys(), tagIds, tag);
const given = (kind: IdKind, id: string, { global }: Which) => (global ? globalId(kind, id) : id);
const typeId = (run: Run, type: Which) => given("TagType", typeOf(run, type), type);
const tagId = (run: Run, tag: Which) => given("Tag", tagOf(run, tag), tag);
const textOf = (value: Name | Color | null | undefined) => (value ? value.given : value);

/** Steps of one command, which a failed property shows by name and input. */
const stepsOf = <Input>(
  title: string,
  inputs: fc.Arbitrary<Input>,
  take: (run: Run, input: Input) => Promise<string>,
  expected: (run: Run, input: Input, id: string) => Refusal | null,
): fc.Arbitrary<Step> =>
  inputs.map((input) => ({
    [fc.toStringMethod]: () => `${title} ${fc.stringify(input)}`,
    take: (run) => take(run, input),
    expect: (run, id) => expected(run, input, id),
  }));

const STEPS: fc.MaybeWeightedArbitrary<Step>[] = [
  {
    weight: 2,
    arbitrary: stepsOf(
      "createTagType",
      fc.record({ name }),
      async ({ types }, { name }) => (await types.create({ name: name.given })).id,
      ({ model, typeIds }, { name }, id) => {
        const refused = model.createType(id, name);
        if (!refused) typeIds.push(id);
        return refused;
      },
    ),
  },
  {
    weight: 2,
    arbitrary: stepsOf(
      "updateTagType",
      fc.record({ type: which, name }),
      async (run, { type, name }) => (await run.types.update({ id: typeId(run, type), name: name.given })).id,
      (run, { type, name }) => run.model.updateType(typeOf(run, type), name),
    ),
  },
  {
    weight: 1,
    arbitrary: stepsOf(
      "deleteTagType",
      fc.record({ type: which }),
      (run, { type }) => run.types.delete({ id: typeId(run, type) }),
      (run, { type }) => run.model.deleteType(typeOf(run, type)),
    ),
  },
  {
    weight: 5,
    arbitrary: stepsOf(
      "createTag",
      fc.record({ channel, name, color, type: which }),
      async (run, { channel, name, color, type }) => {
        const input = { name: name.given, color: color.given, tagTypeId: typeId(run, type) };
        return (await run.tags.create({ chatId: chatOf(run, channel), ...input })).id;
      },
      (run, { channel, name, color, type }, id) => {
        const { model, seen, tagIds } = run;
        const known = channel < CHANNELS;
        if (known && seen !== null && channel !== seen) return "ForbiddenError";
        const refused = model.createTag(id, known ? channel : null, name, color, typeOf(run, type));
        if (!refused) tagIds.push(id);
        return refused;
      },
    ),
  },
  {
    weight: 6,
    arbitrary: stepsOf(
      "updateTag",
      fc.record({ tag: which, name: maybe(name), color: maybe(color), type: maybe(which) }),
      async (run, { tag, name, color, type }) => {
        const updated = await run.tags.update({
          id: tagId(run, tag),
          name: textOf(name),
          color: textOf(color),
          tagTypeId: type && typeId(run, type),
        });
        return updated.id;
      },
      (run, { tag, type, ...values }) =>
        run.model.updateTag(tagOf(run, tag), run.seen, { ...values, typeId: type && typeOf(run, type) }),
    ),
  },
  {
    weight: 1,
    arbitrary: stepsOf(
      "deleteTag",
      fc.record({ tag: which }),
      (run, { tag }) => run.tags.delete({ id: tagId(run, tag) }),
      (run, { tag }) => run.model.deleteTag(tagOf(run, tag), run.seen),
    ),
  },
];
const step = fc.oneof(...STEPS);

const refusalOf = (error: unknown): Refusal => {
  if (error instanceof NotFoundError || error instanceof ForbiddenError) return error.name;
  if (error instanceof ValidationError) return error.fieldErrors.map(({ field }) => field).sort();
  throw error;
};
const byId = <Thing extends { readonly id: string }>(things: Iterable<Thing>): Thing[] =>
  [...things].sort((left, right) => compareIds(left.id, right.id));

await describeOnForms("tag commands", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());

  async function start(seen: number | null): Promise<Run> {
    const { database } = test;
    await database.prisma.channel.deleteMany();
    await database.prisma.tagType.deleteMany();
    await database.prisma.auditEntry.deleteMany();
    const channels = [await storeChannel(database), await storeChannel(database)];
    const linkIds = [newId(), newId()];
    for (const [place, channel] of channels.entries()) {
      const dates = { createdAt: LINKS_CREATED_AT, expireDate: null };
      const flags = { isRevoked: false, isBotCreated: true };
      const link = { id: linkIds[place] as string, name: null, cents: 0n, creatorId: null, tags: [] };
      await storeLinks(database, channel.id, [{ ...link, ...dates, ...flags }]);
    }
    const chatIds = seen === null ? null : [(channels[seen] as StoredChannel).chatId, UNKNOWN_CHAT];
    return {
      model: new TagModel(CHANNELS),
      tags: new TagCommands(database, callerOf(chatIds, "EDITOR")),
      // Only a caller that may use every channel changes types.
      types: new TagTypes(database, callerOf(null, "EDITOR")),
      channels,
      linkIds,
      seen,
      typeIds: [newId()],
      tagIds: [newId()],
    };
  }

  /** Creates two types, and in the first channel a tag of the same name in both, so that commands conflict early. */
  async function seed({ model, types, tags, channels, typeIds, tagIds }: Run): Promise<void> {
    const [first, second] = [NAMES[0] as Name, NAMES[3] as Name];
    const color = COLORS[0] as Color;
    const chatId = (channels[0] as StoredChannel).chatId;
    for (const name of [first, second]) {
      const type = await types.create({ name: name.given });
      model.createType(type.id, name);
      typeIds.push(type.id);
      const input = { chatId, name: first.given, color: color.given, tagTypeId: type.id };
      const tag = await tags.create(input);
      model.createTag(tag.id, 0, first, color, type.id);
      tagIds.push(tag.id);
    }
  }

  /** Gives every link every tag of its channel, so that commands have references to keep in order. */
  async function carryAll({ model, channels, linkIds }: Run): Promise<void> {
    const fresh = [...model.tags.values()].filter(({ id, channel }) => !model.carried[channel]?.has(id));
    if (fresh.length === 0) return;
    await test.database.prisma.inviteLinkTag.createMany({
      data: fresh.map(({ id, channel, typeId }) => ({
        linkId: linkIds[channel] as string,
        tagId: id,
        channelId: (channels[channel] as StoredChannel).id,
        typeId,
        createdAt: LINKS_CREATED_AT,
      })),
    });
    for (const { id, channel } of fresh) model.carried[channel]?.add(id);
  }

  /** All types, tags and links, as queries return them and as the tables have them. */
  async function state({ channels }: Run) {
    const { database } = test;
    const everybody = callerOf();
    const tags = new Tags(database, everybody, createLoaders(database, everybody));
    const pages = await Promise.all(channels.map(({ chatId }) => tags.page({ chatId, first: 100 })));
    const carried = await database.prisma.inviteLinkTag.findMany();
    const audit = await database.prisma.auditEntry.findMany({
      // The entries of links that lose a deleted tag have a test of their own.
      where: { action: { not: "inviteLink.setTags" } },
      orderBy: { id: "asc" },
    });
    return {
      types: byId(await new TagTypes(database, everybody).list()),
      tags: byId(
        pages.flatMap(({ edges }, channel) =>
          edges.map(({ node: { id, name, color, typeId, typeName, updatedAt } }) => {
            return { id, channel, name, color, typeId, typeName, changed: updatedAt !== null };
          }),
        ),
      ),
      carried: byId(carried.map(({ tagId, ...rest }) => ({ id: tagId, ...rest }))),
      untouchedLinks: await database.prisma.inviteLink.count({ where: { updatedAt: null } }),
      audit: audit.map(({ action, subjectId, change }) => ({ action, subjectId, change })),
    };
  }

  function modelState({ model, channels, linkIds }: Run) {
    const { types, tags, carried, audit } = model;
    return {
      types: byId(types.values()).map(({ id, name }) => ({ id, name })),
      tags: byId(tags.values()).map(({ key: _key, ...tag }) => ({
        ...tag,
        typeName: types.get(tag.typeId)?.name,
      })),
      carried: byId(
        carried.flatMap((ids, place) =>
          [...ids].map((id) => ({
            id,
            linkId: linkIds[place],
            channelId: channels[place]?.id,
            typeId: tags.get(id)?.typeId,
            createdAt: LINKS_CREATED_AT,
          })),
        ),
      ),
      untouchedLinks: CHANNELS,
      audit,
    };
  }

  it("tags and types agree with the model after any sequence of commands", async () => {
    await fc.assert(
      propertyInTime(
        fc.constantFrom(null, 0),
        fc.array(step, { minLength: 5, maxLength: 20, size: "max" }),
        async (seen, steps) => {
          const run = await start(seen);
          await seed(run);
          await carryAll(run);
          for (const { take, expect: expected } of steps) {
            let refused: Refusal | null = null;
            const id = await take(run).catch((error) => {
              refused = refusalOf(error);
              return "";
            });
            expect(refused).toEqual(expected(run, id));
            await carryAll(run);
          }
          expect(await state(run)).toEqual(modelState(run));
        },
      ),
      { numRuns: 50 },
    );
  });
});
