import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import { type Caller, ROLES, type Role } from "../shared/caller.js";

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
  /** The rights with which the stream was opened. */
  readonly rights: Rights;
  readonly onLoss: (loss: RightsLoss) => void;
}

interface TokenRow {
  readonly id: string;
  readonly role: Role;
  readonly allChannels: boolean;
  readonly chatIds: string[];
}

const tokenIdOf = ({ key }: Caller): string | null => /^token:(.+)$/.exec(key)?.[1] ?? null;

function isLessened(before: Rights, now: Rights): boolean {
  if (ROLES.indexOf(now.role) < ROLES.indexOf(before.role)) return true;
  const { chatIds } = now;
  if (chatIds === null) return false;
  return before.chatIds === null || [...before.chatIds].some((id) => !chatIds.has(id));
}

/**
 * Notices that the caller of an open stream has lost rights through any server or command. A request is authenticated
 * once, when it begins; a stream can last for days.
 *
 * One statement reads all distinct tokens of a server's open streams every CHECK_MS, and none runs without open streams.
 * A check for each event would cost more and would leave a stream without events open. A notification from the database
 * would need a session of its own, and a check as well in case it is lost. ADMIN_TOKEN is not in the database and lasts
 * as long as the server.
 */
export class RightsWatch {
  readonly #database: Pick<Database, "query">;
  readonly #watches = new Set<Watch>();
  #timer: NodeJS.Timeout | null = null;
  /** When the tokens were last read, by performance.now(). */
  #readAt = 0;

  constructor(database: Pick<Database, "query">) {
    this.#database = database;
  }

  /**
   * Calls `onLoss` once when the caller has lost rights. Rights that a token gains later count from its next request on.
   * @returns ends the watch.
   */
  watch(caller: Caller, onLoss: (loss: RightsLoss) => void): () => void {
    const tokenId = tokenIdOf(caller);
    if (tokenId === null) return () => {};
    const watch: Watch = { tokenId, rights: caller, onLoss };
    this.#watches.add(watch);
    if (this.#timer === null) {
      this.#readAt = performance.now();
      this.#schedule();
    }
    return () => this.#watches.delete(watch);
  }

  #schedule(): void {
    // The open connections of the streams keep the process running.
    this.#timer = setTimeout(() => void this.#check(), CHECK_MS).unref();
  }

  async #check(): Promise<void> {
    if (this.#watches.size === 0) {
      this.#timer = null;
      return;
    }
    const watches = [...this.#watches];
    try {
      const rightsOf = await this.#read(new Set(watches.map(({ tokenId }) => tokenId)));
      this.#readAt = performance.now();
      for (const watch of watches) {
        const now = rightsOf.get(watch.tokenId);
        if (now === undefined) this.#lose(watch, "revoked");
        else if (isLessened(watch.rights, now)) this.#lose(watch, "lessened");
      }
    } catch {
      // The log has a line about the outage.
      if (performance.now() - this.#readAt > UNCHECKED_MS)
        for (const watch of watches) this.#lose(watch, "unknown");
    }
    this.#schedule();
  }

  #lose(watch: Watch, loss: RightsLoss): void {
    if (this.#watches.delete(watch)) watch.onLoss(loss);
  }

  /** The rights of those tokens that are valid. */
  async #read(tokenIds: ReadonlySet<string>): Promise<Map<string, Rights>> {
    const rows = await this.#database.query<TokenRow>(sql`
      select t.id, t.role, t.all_channels as "allChannels",
        array(select g.chat_id::text from channel_grant g where g.token_id = t.id) as "chatIds"
      from api_token t where t.id = any(${[...tokenIds]}::uuid[]) and t.revoked_at is null`);
    return new Map(
      rows.map(({ id, role, allChannels, chatIds }) => [
        id,
        { role, chatIds: allChannels ? null : new Set(chatIds.map(Number)) },
      ]),
    );
  }
}
