import { afterAll, beforeAll, expect, test } from "vitest";
import { AutomaticApprovals } from "../../../src/background/updates/automaticApprovals.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { PendingWork } from "../../../src/domain/shared/pendingWork.js";
import { createLog } from "../../../src/log.js";
import { type Sandbox, startSandbox } from "../../../src/sandbox/sandbox.js";
import { TelegramGateway } from "../../../src/telegram/gateway.js";
import { received } from "../../domain/members/updates.js";
import { noKnownCallers, UNGUARDED } from "../../domain/support.js";
import { openTestDatabase, type TestDatabase, USUAL_FORMS } from "../../support/databases.js";

let database: TestDatabase;
let telegram: Sandbox;
beforeAll(async () => {
  database = await openTestDatabase(USUAL_FORMS[0] ?? "embedded");
  telegram = await startSandbox();
});
afterAll(async () => {
  await telegram?.close();
  await database?.close();
});

test("the requests of a channel are approved as soon as the bot has got its right back", async () => {
  const { control, bot, apiRoot } = telegram;
  const { prisma } = database.database;
  const ingestion = new UpdateIngestion({ database: database.database, botId: bot.id, notifies: false });
  const gateway = new TelegramGateway({
    token: bot.token,
    botId: bot.id,
    apiRoot,
    timeoutMs: 10_000,
    onCall: () => {},
  });
  const approvals = new AutomaticApprovals({
    session: { query: (statement) => database.database.query(statement), close: () => {} },
    log: createLog({ level: "fatal", format: null, secrets: [], write: () => {} }),
    database: database.database,
    callerCache: noKnownCallers,
    gateway,
    ingestion,
    pendingWork: new PendingWork(),
    storageGuard: UNGUARDED,
  });
  const run = () => approvals.run(new AbortController().signal);
  const receive = async () => {
    const updates = control.pendingUpdates().map(received);
    await ingestion.ingest(updates, null);
  };
  const calls = () => control.calls("approveChatJoinRequest").length;

  const chatId = control.addChat({ type: "channel", title: "C" });
  const { url } = control.makeLink(chatId, { createsJoinRequest: true });
  control.join(chatId, { id: 7_000_000, is_bot: false, first_name: "A" }, { url });
  await receive();
  const link = await prisma.inviteLink.findFirstOrThrow();
  await prisma.joinRequestPolicy.create({
    data: { linkId: link.id, channelId: link.channelId, approveAfterSeconds: 0 },
  });
  control.setBot(chatId, { status: "administrator", can_invite_users: false });
  await receive();
  await run();
  await run();
  // The channel is left alone for a while.
  expect(calls()).toBe(1);
  control.setBot(chatId, { status: "administrator", can_invite_users: true });
  await receive();
  await run();
  expect(calls()).toBe(2);
  expect(await prisma.joinRequest.findMany()).toMatchObject([{ state: "APPROVED" }]);
});
