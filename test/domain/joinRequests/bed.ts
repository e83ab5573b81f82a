// A Telegram of the sandbox, a database, and people who ask to join channels.

import type { InviteLink } from "../../../src/database/generated/prisma/client.js";
import type { DeciderServices } from "../../../src/domain/joinRequests/requestDecider.js";
import { UpdateIngestion } from "../../../src/domain/members/updateIngestion.js";
import { PendingWork } from "../../../src/domain/shared/pendingWork.js";
import { createLog } from "../../../src/log.js";
import { type Sandbox, startSandbox } from "../../../src/sandbox/sandbox.js";
import type { ChatType } from "../../../src/sandbox/types.js";
import { TelegramGateway } from "../../../src/telegram/gateway.js";
import { openTestDatabase, type TestDatabase, USUAL_FORMS } from "../../support/databases.js";
import { received } from "../members/updates.js";
import { noKnownCallers } from "../support.js";

/** Of one call, in milliseconds. */
const TIMEOUT_MS = 10_000;

export interface AskedChat {
  readonly chatId: number;
  readonly url: string;
  readonly link: InviteLink;
}

export class RequestBed {
  readonly telegram: Sandbox;
  readonly log = createLog({ level: "fatal", format: null, secrets: [], write: () => {} });
  readonly #database: TestDatabase;
  readonly #ingestion: UpdateIngestion;
  #persons = 7_000_000;

  private constructor(database: TestDatabase, telegram: Sandbox) {
    this.#database = database;
    this.telegram = telegram;
    this.#ingestion = new UpdateIngestion({
      database: database.database,
      botId: telegram.bot.id,
      notifies: false,
    });
  }

  static async open(): Promise<RequestBed> {
    const form = USUAL_FORMS[0] ?? "embedded";
    return new RequestBed(...(await Promise.all([openTestDatabase(form), startSandbox()])));
  }

  async close(): Promise<void> {
    await this.telegram.close();
    await this.#database.close();
  }

  get database() {
    return this.#database.database;
  }

  /** What decides requests, as a server of its own, except for the storage guard. */
  services(): Omit<DeciderServices, "storageGuard"> {
    const { bot, apiRoot } = this.telegram;
    return {
      database: this.database,
      callerCache: noKnownCallers,
      gateway: new TelegramGateway({
        token: bot.token,
        botId: bot.id,
        apiRoot,
        timeoutMs: TIMEOUT_MS,
        onCall: () => {},
      }),
      ingestion: this.#ingestion,
      pendingWork: new PendingWork(),
    };
  }

  /** Stores Telegram's updates. */
  async receive(): Promise<void> {
    await this.#ingestion.ingest(this.telegram.control.pendingUpdates().map(received), null);
  }

  /** Some people ask to join a new chat. */
  async askIn(title: string, count = 1, type: ChatType = "channel"): Promise<AskedChat> {
    const { control } = this.telegram;
    const chatId = control.addChat({ type, title });
    const { url } = control.makeLink(chatId, { createsJoinRequest: true });
    for (let number = 0; number < count; number += 1) {
      this.#persons += 1;
      control.join(chatId, { id: this.#persons, is_bot: false, first_name: "A" }, { url });
    }
    await this.receive();
    const link = await this.database.prisma.inviteLink.findFirstOrThrow({
      where: { channel: { chatId: BigInt(chatId) } },
    });
    return { chatId, url, link };
  }
}
