import sql from "sql-template-tag";
import type { Database } from "../../database/database.js";
import type { Caller, Role } from "../shared/caller.js";
import type { CallerCache } from "./callerCache.js";
import { hashSecret, sameHash } from "./secrets.js";

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly allChannels: boolean;
  readonly telegramUserId: number | null;
  readonly chatIds: string[];
  readonly usedLongAgo: boolean;
}

const adminCaller = (): Caller => ({
  key: "admin",
  name: "ADMIN_TOKEN",
  role: "ADMIN",
  channelIds: null,
  telegramUserId: null,
});

/** Finds out who is calling. */
export class Authentication {
  readonly #database: Database;
  readonly #known: CallerCache;
  readonly #adminHash: Uint8Array | null;
  readonly #onError: (error: unknown) => void;

  /** @param adminToken ADMIN_TOKEN, which always works. @param onError where noting a token's use failed. */
  constructor(
    database: Database,
    known: CallerCache,
    adminToken: string | null,
    onError: (error: unknown) => void,
  ) {
    this.#database = database;
    this.#known = known;
    this.#adminHash = adminToken === null ? null : hashSecret(adminToken);
    this.#onError = onError;
  }

  /** The caller whose secret this is; null for one that is not, or no longer, valid. */
  authenticate(secret: string): Caller | Promise<Caller | null> {
    const hash = hashSecret(secret);
    if (this.#adminHash && sameHash(hash, this.#adminHash)) return adminCaller();
    const key = Buffer.from(hash).toString("latin1");
    return this.#known.find(key) ?? this.#known.reading(key, () => this.#read(hash));
  }

  async #read(hash: Uint8Array): Promise<Caller | null> {
    const [token] = await this.#database.query<TokenRow>(
      sql`
      select t.id, t.name, t.role, t.all_channels as "allChannels", t.telegram_user_id as "telegramUserId",
        array(select g.chat_id::text from channel_grant g where g.token_id = t.id) as "chatIds",
        coalesce(t.last_used_at < now() - interval '1 minute', true) as "usedLongAgo"
      from api_token t where t.secret_hash = ${Buffer.from(hash)} and t.revoked_at is null`,
      "frequent and quick",
    );
    if (!token) return null;
    if (token.usedLongAgo) this.#noteUse(token.id).catch(this.#onError);
    return {
      key: `token:${token.id}`,
      name: token.name,
      role: token.role,
      channelIds: token.allChannels ? null : new Set(token.chatIds.map(Number)),
      telegramUserId: token.telegramUserId,
    };
  }

  /** To the minute, and beside the request: so that reading does not become writing. */
  async #noteUse(id: string): Promise<void> {
    await this.#database.prisma.apiToken.updateMany({ where: { id }, data: { lastUsedAt: new Date() } });
  }
}
