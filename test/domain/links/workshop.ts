import type { Database } from "../../../src/database/database.js";
import { createDatabase } from "../../../src/database/database.js";
import { guardTransactions } from "../../../src/database/transactionGuard.js";
import { EditLocks } from "../../../src/domain/links/edit/editLocks.js";
import { LinkEditor } from "../../../src/domain/links/edit/linkEditor.js";
import { BulkTagging } from "../../../src/domain/links/tagging/bulkTagging.js";
import { createLoaders } from "../../../src/domain/loaders.js";
import type { Caller } from "../../../src/domain/shared/caller.js";
import { newId } from "../../../src/domain/shared/ids.js";
import { PendingWork } from "../../../src/domain/shared/pendingWork.js";
import { foldName } from "../../../src/domain/shared/text.js";
import { createLog } from "../../../src/log.js";
import { type OtherLink, type Sandbox, startSandbox } from "../../../src/sandbox/sandbox.js";
import { TelegramGateway } from "../../../src/telegram/gateway.js";
import { type DatabaseForm, openPool, openTestDatabase, type TestDatabase } from "../../support/databases.js";
import { callerOf, noKnownCallers, UNGUARDED } from "../support.js";

/** The state of a link that both Telegram and the database have. */
export interface LinkState {
  readonly name: string | null;
  readonly createsJoinRequest: boolean;
  /** Unix seconds. */
  readonly expireDate: number | null;
  readonly memberLimit: number | null;
  readonly isRevoked: boolean;
}

/** A server on the workshop's database and its Telegram. */
export interface WorkingServer {
  /** The presence id. */
  readonly id: string;
  readonly database: Database;
  readonly pendingWork: PendingWork;
  /** Lets the time of all requests so far end. */
  endTime(): void;
  /** The LinkEditor of a new request. */
  editor(caller?: Caller): LinkEditor;
  tags(): BulkTagging;
}

/** A Telegram with one channel in it, a database, and any number of servers at work on both. */
export interface Workshop {
  readonly test: TestDatabase;
  readonly sandbox: Sandbox;
  readonly chatId: number;
  readonly channelId: string;
  /** Presence ids of the servers that count as alive. */
  readonly alive: Set<string>;
  /** The log lines of all servers. */
  readonly lines: readonly { readonly level: string; readonly msg: string }[];
  /**
   * Starts one more server; on a PostgreSQL server it has connections of its own.
   * @param former a server whose connections it takes over, as if that server was started again
   */
  serve(timeoutMs?: number, former?: WorkingServer): Promise<WorkingServer>;
  /** Creates a link of the bot in Telegram and in the database. @returns its id. */
  makeLink(link?: OtherLink, row?: object, chatId?: number): Promise<string>;
  inTelegram(linkId: string): Promise<LinkState>;
  stored(linkId: string): Promise<LinkState>;
  close(): Promise<void>;
}

export async function openWorkshop(form: DatabaseForm): Promise<Workshop> {
  const test = await openTestDatabase(form);
  const { database } = test;
  const sandbox = await startSandbox();
  const { control, bot } = sandbox;
  const chatId = control.addChat({ type: "channel", title: "Workshop" });
  const channelId = newId();
  await database.prisma.channel.create({
    data: { id: channelId, chatId: BigInt(chatId), kind: "CHANNEL", title: "W", createdAt: new Date() },
  });
  const alive = new Set<string>();
  const lines: { level: string; msg: string }[] = [];
  const log = createLog({
    level: "debug",
    format: null,
    secrets: [],
    write: (line) => lines.push(JSON.parse(line) as { level: string; msg: string }),
  });
  const own: Database[] = [];
  const row = async (id: string) =>
    database.prisma.inviteLink.findUniqueOrThrow({ where: { id }, include: { channel: true } });
  return {
    test,
    sandbox,
    chatId,
    channelId,
    alive,
    lines,
    async serve(timeoutMs = 5000, former) {
      let mine = former?.database ?? database;
      if (form === "server" && !former) {
        mine = guardTransactions(createDatabase(await openPool(test)));
        own.push(mine);
      }
      const id = newId();
      alive.add(id);
      const { token, id: botId } = bot;
      const gateway = new TelegramGateway({
        token,
        botId,
        apiRoot: sandbox.apiRoot,
        timeoutMs,
        onCall: () => {},
      });
      const deadlines: { at: number }[] = [];
      const newDeadline = gateway.deadline.bind(gateway);
      gateway.deadline = () => {
        const deadline = { ...newDeadline() };
        deadlines.push(deadline);
        return deadline;
      };
      const pendingWork = new PendingWork();
      const presence = { id, isAlive: async (other: string) => alive.has(other) };
      const editLocks = new EditLocks(mine, presence, pendingWork);
      return {
        id,
        database: mine,
        pendingWork,
        endTime() {
          for (const deadline of deadlines) deadline.at = Date.now();
        },
        editor: (caller = callerOf(null, "EDITOR")) =>
          new LinkEditor(
            {
              database: mine,
              callerCache: noKnownCallers,
              gateway,
              editLocks,
              pendingWork,
              storageGuard: UNGUARDED,
            },
            { caller, loaders: createLoaders(mine, caller), log },
          ),
        tags() {
          const caller = callerOf(null, "EDITOR");
          return new BulkTagging(mine, caller, createLoaders(mine, caller));
        },
      };
    },
    async makeLink(link = {}, columns = {}, inChat = chatId) {
      const creator = { id: bot.id, is_bot: true, first_name: bot.firstName };
      const made = control.makeLink(inChat, { creator, name: "Made", ...link });
      const { id: channel } = await database.prisma.channel.findFirstOrThrow({
        where: { chatId: BigInt(inChat) },
      });
      const id = newId();
      await database.prisma.inviteLink.create({
        data: {
          id,
          channelId: channel,
          botId: BigInt(bot.id),
          url: made.url,
          name: made.name,
          nameKey: foldName(made.name),
          createsJoinRequest: made.createsJoinRequest,
          expireDate: made.expireDate === 0 ? null : new Date(made.expireDate * 1000),
          memberLimit: made.memberLimit === 0 ? null : made.memberLimit,
          createdAt: new Date(),
          ...columns,
        },
      });
      return id;
    },
    async inTelegram(linkId) {
      const { url, channel } = await row(linkId);
      const link = control.links(Number(channel.chatId)).find((candidate) => candidate.url === url);
      if (!link) throw new Error(`Telegram has no link ${url}.`);
      return {
        name: link.name === "" ? null : link.name,
        createsJoinRequest: link.createsJoinRequest,
        expireDate: link.expireDate === 0 ? null : link.expireDate,
        memberLimit: link.memberLimit === 0 ? null : link.memberLimit,
        isRevoked: link.isRevoked,
      };
    },
    async stored(linkId) {
      const { name, createsJoinRequest, expireDate, memberLimit, isRevoked } = await row(linkId);
      return {
        name,
        createsJoinRequest,
        expireDate: expireDate && expireDate.getTime() / 1000,
        memberLimit,
        isRevoked,
      };
    },
    async close() {
      await Promise.all(own.map((opened) => opened.close()));
      await sandbox.close();
      await test.close();
    },
  };
}
