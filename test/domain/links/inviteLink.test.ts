import { afterAll, beforeAll, expect, it } from "vitest";
import { LINK_COLUMNS } from "../../../src/domain/links/inviteLink.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { COLUMNS } from "../../../src/domain/transfer/linkRecord.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { callerOf, storeChannel, storeLinks } from "../support.js";

const columns = Object.entries(LINK_COLUMNS);

await describeOnForms("the columns of a link", USUAL_FORMS, (form) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(form);
  });
  afterAll(() => test?.close());

  it("LINK_COLUMNS has every column of the table invite_link and no other", async () => {
    const { rows } = await test.pool.query<{ name: string }>(
      `select column_name as name from information_schema.columns
      where table_schema = current_schema() and table_name = 'invite_link'`,
    );
    expect(Object.keys(LINK_COLUMNS).sort()).toEqual(rows.map(({ name }) => name).sort());
  });

  it("an exported record has every column that LINK_COLUMNS exports and no other", () => {
    const exported = columns.filter(([, { exported }]) => exported).map(([column]) => column);
    expect([...COLUMNS].sort()).toEqual(exported.sort());
  });

  it("a link that was read has a property for every column that LINK_COLUMNS reads", async () => {
    const channel = await storeChannel(test.database);
    const id = newId();
    const settings = { name: "Ad", isRevoked: false, isBotCreated: true, expireDate: null };
    const link = { id, createdAt: new Date(), cents: 0n, creatorId: null, tags: [], ...settings };
    await storeLinks(test.database, channel.id, [link]);
    const read = await createLoaders(test.database, callerOf()).inviteLink.load(id);
    const properties = columns.flatMap(([, { property }]) => property ?? []);
    expect(Object.keys(read ?? {}).sort()).toEqual([...properties, "chatId", "tagIds", "tagsVersion"].sort());
  });
});
