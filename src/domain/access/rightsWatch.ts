import { AsyncLocalStorage } from "node:async_hooks";
import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { type Caller, moveChat, ROLES, type Role } from "../shared/caller.js";
import { chatIdsOf, type TokenRightsRow, tokenIdOf, tokenRightsColumns } from "./tokenRights.js";

/** How often the tokens of open streams are read, in milliseconds. */
const CHECK_MS = 500;
/** How long streams go on while the tokens cannot be read, in milliseconds. */
const UNCHECKED_MS = 10_000;

/**
 * Why a caller's stream must end: its token was revoked, the token has a lesser role or fewer channels than before, or
 * nobody knows because the database could not be read for UNCHECKED_MS.
 */
export type RightsLoss = "revoked" | "lessened" | "unknown";

interface Rights {
  readonly role: Role;
  /** Telegram chat ids; null for every channel. */
  readonly chatIds: ReadonlySet<number> | null;
}

interface Watch {
  readonly tokenId: string;
  /** The caller, with the rights that it had when the stream was opened. */
  readonly caller: Caller;
  readonly onLoss: (loss: RightsLoss) => void;
}

interface TokenRow extends TokenRightsRow {
  readonly id: string;
}

/** A chat that got another id, as the audit entries record it. */
interface Migration {
  readonly from: number;
  /** The chat's id now. */
  readonly to: number;
}

/** The caller's chats that its token may not use any more, at least not by the same id. */
function missingChats(before: Rights, { chatIds }: Rights): number[] {
  return chatIds === null || before.chatIds === null
    ? []
    : [...before.chatIds].filter((id) => !chatIds.has(id));
}

/** The migrations of the caller's chats since the stream was opened. Null if the token has fewer rights now. */
function followedChats(
  before: Rights,
  now: Rights,
  migrations: readonly Migration[],
): readonly Migration[] | null {
  if (ROLES.indexOf(now.role) < ROLES.indexOf(before.role)) return null;
  if (before.chatIds === null && now.chatIds !== null) return null;
  const followed: Migration[] = [];
  for (const id of missingChats(before, now)) {
    const migration = migrations.find(({ from, to }) => from === id && now.chatIds?.has(to));
    if (!migration) return null;
    followed.push(migration);
  }
  return followed;
}

/**
 * Notices when the caller of an open stream loses rights, by a change on any server or by a command. A request is
 * authenticated once, when it begins; a stream can last for days.
 *
 * One statement reads all distinct tokens of a server's open streams every CHECK_MS, and none runs without open streams.
 * A check for each event would cost more and would never end a stream without events. Notifications from the database would
 * need a session of their own, and these checks as well, since a notification can be lost. ADMIN_TOKEN is not in the
 * database and lasts as long as the server.
 */
export class RightsWatch {
  readonly #database: Pick<Database, "query">;
  readonly #watches = new Set<Watch>();
  /** Runs work outside of any request, so that the timer does not belong to the request that happened to start it. */
  readonly #outsideRequests = AsyncLocalStorage.snapshot();
  #timer: NodeJS.Timeout | null = null;
  /** When the tokens were last read or, if that is later, the first of the open streams began, by performance.now(). */
  #readAt = 0;

  constructor(database: Pick<Database, "query">) {
    this.#database = database;
  }

  /**
   * Calls `onLoss` once when the caller has lost rights. Rights that a token gains later count from its next request on.
   * After a chat migration the caller gets the chat's new id.
   * @returns a function that ends the watch.
   */
  watch(caller: Caller, onLoss: (loss: RightsLoss) => void): () => void {
    const tokenId = tokenIdOf(caller);
    if (tokenId === null) return () => {};
    const watch: Watch = { tokenId, caller, onLoss };
    if (this.#watches.size === 0) this.#readAt = performance.now();
    this.#watches.add(watch);
    if (this.#timer === null) this.#schedule();
    return () => this.#watches.delete(watch);
  }

  #schedule(): void {
    // The open connections of the streams keep the process running.
    this.#timer = this.#outsideRequests(() => setTimeout(() => void this.#check(), CHECK_MS).unref());
  }

  async #check(): Promise<void> {
    if (this.#watches.size === 0) {
      this.#timer = null;
      return;
    }
    const watches = [...this.#watches];
    try {
      const rightsOf = await this.#read(new Set(watches.map(({ tokenId }) => tokenId)));
      const migrations = await this.#readMigrations(watches, rightsOf);
      this.#readAt = performance.now();
      for (const watch of watches) {
        const now = rightsOf.get(watch.tokenId);
        const followed = now && followedChats(watch.caller, now, migrations);
        if (!followed) this.#lose(watch, now ? "lessened" : "revoked");
        for (const { from, to } of followed ?? []) moveChat(watch.caller, from, to);
      }
    } catch {
      // DatabaseHealth logs the outage.
      if (performance.now() - this.#readAt > UNCHECKED_MS)
        for (const watch of watches) this.#lose(watch, "unknown");
    }
    this.#schedule();
  }

  #lose(watch: Watch, loss: RightsLoss): void {
    if (this.#watches.delete(watch)) watch.onLoss(loss);
  }

  /** The rights of the tokens that are still valid, by token id. */
  async #read(tokenIds: ReadonlySet<string>): Promise<Map<string, Rights>> {
    const rows = await this.#database.query<TokenRow>(
      statement("token_rights_watch")`
      select t.id, ${tokenRightsColumns}
      from api_token t where t.id = any(${[...tokenIds]}::uuid[]) and t.revoked_at is null`,
      "frequent and quick",
    );
    return new Map(rows.map((token) => [token.id, { role: token.role, chatIds: chatIdsOf(token) }]));
  }

  /**
   * The chat migrations that can explain why a token lacks a chat, since a migration moves the grants of a chat to its new
   * id. They are read from the audit entries, which remain if two channels of one chat are merged. No statement is sent
   * while no token lacks a chat.
   */
  async #readMigrations(
    watches: readonly Watch[],
    rightsOf: ReadonlyMap<string, Rights>,
  ): Promise<readonly Migration[]> {
    const missing = new Set<number>();
    const granted = new Set<number>();
    for (const { tokenId, caller } of watches) {
      const now = rightsOf.get(tokenId);
      const chats = now ? missingChats(caller, now) : [];
      for (const id of chats) missing.add(id);
      if (chats.length > 0) for (const id of now?.chatIds ?? []) granted.add(id);
    }
    if (missing.size === 0) return [];
    return this.#database.query<Migration>(
      statement("channel_migrations_watch")`
      select (a.change->>'from')::bigint as "from", c.chat_id as "to"
      from channel c join audit_entry a on a.subject_id = c.id and a.action = 'channel.migrate'
      where c.chat_id = any(${[...granted]}::bigint[]) and a.change->>'from' = any(${[...missing].map(String)}::text[])`,
      "frequent and quick",
    );
  }
}
