import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../../src/database/database.js";
import { parseFilter } from "../../../src/domain/links/query/filter.js";
import { openExport } from "../../../src/domain/transfer/exportLinks.js";
import { FORMATS } from "../../../src/import-export/files.js";
import {
  describeOnForms,
  openTestDatabase,
  type TestDatabase,
  USUAL_FORMS,
} from "../../support/databases.js";
import { CHAT, importText, jsonLines } from "./support.js";

await describeOnForms("an export that is read slowly", USUAL_FORMS, (form) => {
  let opened: TestDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(form);
  });
  afterAll(() => opened?.close());

  test("has the tags of a type that is renamed just after it was opened", async () => {
    const { database } = opened;
    const tags = [{ type: "Platform", name: "YouTube" }];
    await importText(database, jsonLines({ channel_id: CHAT, url: "https://t.me/+renamed", tags }));
    const rename = async () => {
      await database.prisma.tagType.updateMany({ data: { name: "Medium", nameKey: "medium" } });
    };
    const renaming: Database = {
      ...database,
      async read(statements, size) {
        const begun = await database.read(statements, size);
        await rename();
        // biome-ignore lint/suspicious/noExplicitAny: the type of the rows is the caller's.
        return begun as any;
      },
    };
    const { selection } = parseFilter(CHAT, {}, new Date());
    const exported = await openExport(renaming, CHAT, selection, false);
    try {
      let text = "";
      for await (const part of FORMATS.csv(exported)) text += part;
      const [header, row] = text.split("\r\n");
      expect(header).toMatch(/,tag:Platform$/);
      expect(row).toMatch(/,YouTube$/);
      expect(exported.total).toBe(1);
    } finally {
      await exported.close();
    }
  });
});
