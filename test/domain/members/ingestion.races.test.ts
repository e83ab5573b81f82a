import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDatabase, type Database } from "../../../src/database/database.js";
import { followMigration } from "../../../src/domain/channels/chatMigration.js";
import { recount } from "../../../src/domain/links/counts/recount.js";
import { eraseMember } from "../../../src/domain/members/eraseMember.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import type { ReceivedUpdate } from "../../../src/telegram/updates.js";
import {
  describeOnForms,
  openPool,
  type PreparedDatabase,
  prepareTestDatabase,
} from "../../support/databases.js";
import { callerOf, newChatId, noKnownCallers } from "../support.js";
import { importText, jsonLines } from "../transfer/support.js";
import { BOT_ID, chatOf, received } from "./updates.js";

// Whoever writes takes locks in one order. PostgreSQL would resolve a circle after a second, so here it waits longer than
// a statement may take.

const ROUNDS = 12;
const LINKS_IN_ROUND = 12;

let lastUpdateId = 0;

const addressOf = (round: number, number: number) => `https://t.me/+Race${round}Link${number}`;

/** Somebody joins by a link of somebody else, which the server does not know. */
function join(chat: number, userId: number, address: string): ReceivedUpdate {
  lastUpdateId += 1;
  const user = { id: userId, is_bot: false, first_name: "Person" };
  return received({
    update_id: lastUpdateId,
    chat_member: {
      chat: { ...chatOf(chat), title: `Chat ${chat} ${lastUpdateId}` },
      from: user,
      date: 1_780_000_000 + lastUpdateId,
      old_chat_member: { user, status: "left" },
      new_chat_member: { user, status: "member" },
      invite_link: { invite_link: address, creator: { id: 500, is_bot: false, first_name: "Admin" } },
    },
  });
}

await describeOnForms("storing updates beside other writers", ["server"], (form) => {
  let prepared: PreparedDatabase;
  let database: Database;

  beforeAll(async () => {
    prepared = await prepareTestDatabase(form);
    const client = new pg.Client(prepared.url ?? "");
    await client.connect();
    const name = new URL(prepared.url ?? "").pathname.slice(1);
    await client.query(`alter database ${name} set deadlock_timeout = '1min'`);
    await client.end();
    database = createDatabase(await openPool(prepared));
  });
  afterAll(async () => {
    await database?.close();
    await prepared?.remove();
  });

  test("no batch waits in a circle with batches, imports, chat migrations and erasures", async () => {
    const ingestion = new UpdateIngestion({ database, botId: BOT_ID, notifies: true });
    const shared = { database, callerCache: noKnownCallers };
    for (let round = 0; round < ROUNDS; round += 1) {
      const [group, supergroup, known, ...unknown] = Array.from({ length: 6 }, newChatId);
      if (group === undefined || supergroup === undefined || known === undefined)
        throw new Error("A chat id is missing.");
      const erased = 1_000_000 + round;
      await ingestion.ingest(
        [group, supergroup, known].map((chat) => join(chat, erased, addressOf(round, 0))),
        null,
      );
      const chats = [supergroup, known, ...unknown];
      const joins = (number: number) => chats.map((chat) => join(chat, number + 1, addressOf(round, number)));
      const numbers = Array.from({ length: LINKS_IN_ROUND }, (_, number) => number);
      const backwards = numbers.toReversed();
      const records = backwards.flatMap((number) =>
        chats.toReversed().map((chat) => ({ channel_id: chat, url: addressOf(round, number) })),
      );
      const [, , imported] = await Promise.all([
        ingestion.ingest(numbers.flatMap(joins), null),
        ingestion.ingest(
          backwards.flatMap((number) => joins(number).reverse()),
          null,
        ),
        importText(database, jsonLines(...records)),
        followMigration(shared, callerOf(), group, supergroup),
        eraseMember(database, callerOf(null, "ADMIN"), { userId: erased }),
      ]);
      expect(imported.skipped).toEqual([]);
    }
    expect(await database.prisma.failedUpdate.count()).toBe(0);
    expect(await recount(database, { chatId: null, checkOnly: true })).toEqual([]);
  });
});
