import { afterAll, beforeAll, expect, test } from "vitest";
import type { UnitOfWork } from "../../src/database/database.js";
import { failureOf, unavailabilityOf } from "../../src/database/failures.js";
import type { NamedStatement } from "../../src/database/statement.js";
import { newId } from "../../src/domain/shared/ids.js";
import { describeOnForms, openTestDatabase, type TestDatabase } from "../support/databases.js";
import { testStatement } from "../support/statement.js";

await describeOnForms("concurrent transactions", ["server"], () => {
  let open: TestDatabase;
  beforeAll(async () => {
    open = await openTestDatabase("server");
  });
  afterAll(() => open.close());

  const rename = {
    "by Prisma": async ({ prisma }: UnitOfWork, id: string, name: string) => {
      await prisma.tagType.update({ where: { id }, data: { name } });
    },
    "by hand": async (unit: UnitOfWork, id: string, name: string) => {
      await unit.execute(testStatement`update tag_type set name = ${name} where id = ${id}::uuid`);
    },
  };

  test.each(Object.entries(rename))("both succeed after a deadlock: %s", async (how, change) => {
    const { database } = open;
    const ids = [newId(), newId()] as const;
    await database.prisma.tagType.createMany({
      data: ids.map((id) => ({ id, name: "Before", nameKey: `${how} ${id}`, createdAt: new Date() })),
    });
    let [tries, held] = [0, 0];
    let bothHold = () => {};
    const holding = new Promise<void>((resolve) => {
      bothHold = resolve;
    });
    const crossing = (name: string, [first, second]: readonly [string, string]) =>
      database.transaction(async (unit) => {
        tries += 1;
        await change(unit, first, name);
        held += 1;
        if (held === 2) bothHold();
        await holding;
        await change(unit, second, name);
        return name;
      });
    expect(await Promise.all([crossing("One", ids), crossing("Two", [ids[1], ids[0]])])).toEqual([
      "One",
      "Two",
    ]);
    // The transaction that was ended may begin again before the other goes on, and collide once more.
    expect(tries).toBeGreaterThan(2);
    const [one, two] = await database.prisma.tagType.findMany({ where: { id: { in: [...ids] } } });
    expect(one?.name).toBe(two?.name);
  });

  test("all succeed under serializable isolation, which reports conflicts only at COMMIT", async () => {
    const { database } = open;
    const nameKey = `counted ${newId()}`;
    const count = 6;
    let tries = 0;
    let arrived = 0;
    let allHere = () => {};
    const together = new Promise<void>((resolve) => {
      allHere = resolve;
    });
    const places = await Promise.all(
      Array.from({ length: count }, () =>
        database.transaction(async (unit) => {
          tries += 1;
          // Simulates a database with this default.
          await unit.execute(testStatement`set transaction isolation level serializable`);
          const [row] = await unit.query<{ rows: string }>(
            testStatement`select count(*)::text as rows from tag_type where name = ${nameKey}`,
          );
          arrived += 1;
          if (arrived === count) allHere();
          await together;
          const place = Number(row?.rows);
          await unit.execute(testStatement`
            insert into tag_type (id, name, name_key, created_at)
            values (${newId()}::uuid, ${nameKey}, ${`${nameKey} ${newId()}`}, now())`);
          return place;
        }),
      ),
    );
    expect(places.sort()).toEqual(Array.from({ length: count }, (_, place) => place));
    expect(tries).toBeGreaterThan(count);
  });

  test.each(["transaction", "directTransaction"] as const)(
    "of a server that freezes end, so that others get the locks: %s",
    async (kind) => {
      const { database, pool } = open;
      const id = newId();
      await database.prisma.tagType.create({
        data: { id, name: "Locked", nameKey: id, createdAt: new Date() },
      });
      const lock = testStatement`select from tag_type where id = ${id}::uuid for update`;
      let unfreeze = () => {};
      const frozen = new Promise<void>((resolve) => {
        unfreeze = resolve;
      });
      let locked = () => {};
      const holding = new Promise<void>((resolve) => {
        locked = resolve;
      });
      const freeze = async (query: (statement: NamedStatement) => Promise<unknown>) => {
        await query(lock);
        locked();
        await frozen;
        await query(lock);
      };
      const work =
        kind === "transaction"
          ? database.transaction((unit) => freeze((statement) => unit.query(statement)))
          : database.directTransaction((unit) => freeze((statement) => unit.queryOnce(statement)));
      await holding;
      await pool.query({ text: lock.text, values: lock.values });
      unfreeze();
      await expect(work).rejects.toSatisfy((error) => unavailabilityOf(error) !== null);
    },
  );

  test("are repeated for a missing row, which is reported in the end", async () => {
    const { database } = open;
    let tries = 0;
    const gone = database.transaction(async ({ prisma }) => {
      tries += 1;
      await prisma.tagType.update({ where: { id: newId() }, data: { name: "Nobody" } });
    });
    await expect(gone).rejects.toSatisfy((error) => failureOf(error).kind === "rowMissing");
    expect(tries).toBe(3);
  });
});
