import { afterAll, beforeAll, expect, it } from "vitest";
import { Authentication } from "../../../src/domain/access/authentication.js";
import { ALL_FORMS, describeOnForms, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { planOf, rowsRead, statementsOf, tablesReadWhole } from "../../support/plans.js";
import { noKnownCallers } from "../support.js";

await describeOnForms("the authentication statement", ALL_FORMS, (form) => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await openTestDatabase(form);
    await test.pool.query(
      `insert into api_token (id, name, role, secret_hash, all_channels, created_at)
      select gen_random_uuid(), 'Token ' || n, 'VIEWER', sha256(n::text::bytea), false, now() from generate_series(1, 3000) n`,
    );
    await test.pool.query(
      "insert into channel_grant (token_id, chat_id) select id, -n from api_token, generate_series(1, 10) n",
    );
    await test.pool.query("vacuum analyze");
  });
  afterAll(() => test?.close());

  it("authentication reads one token and its grants by indexes", async () => {
    // The time of a use is stored without the request waiting, perhaps after the database was closed.
    const authentication = new Authentication(test.database, noKnownCallers, null, () => {});
    const caller = await authentication.authenticate("7");
    expect(caller?.chatIds?.size).toBe(10);
    const [statement] = await statementsOf(test, async () => authentication.authenticate("8"));
    if (!statement) throw new TypeError("Nothing was asked.");
    for (const kind of ["custom", "generic"] as const) {
      const hash = `\\x${(statement.values[0] as Buffer).toString("hex")}`;
      const plan = await planOf(test.pool, { ...statement, values: [hash] }, kind);
      expect(tablesReadWhole(plan)).toEqual([]);
      expect(rowsRead(plan).get("api_token")).toBe(1);
      expect(rowsRead(plan).get("channel_grant")).toBe(10);
    }
  });
});
