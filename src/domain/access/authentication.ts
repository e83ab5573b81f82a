import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { ADMIN_KEY, type Caller, NAMES_WITHOUT_TOKEN } from "../shared/caller.js";
import type { CallerCache } from "./callerCache.js";
import { hashSecret, sameHash } from "./secrets.js";
import { chatIdsOf, type TokenRightsRow, tokenRightsColumns } from "./tokenRights.js";

interface TokenRow extends TokenRightsRow {
  readonly id: string;
  readonly name: string;
  readonly telegramUserId: number | null;
  /** Whether the use is to be stored: the last one was long ago, and the database is no replica. */
  readonly storesUse: boolean;
}

const adminCaller = (): Caller => ({
  key: ADMIN_KEY,
  name: NAMES_WITHOUT_TOKEN.admin,
  role: "ADMIN",
  chatIds: null,
  telegramUserId: null,
});

/** Finds the caller of a request by the secret of its token. */
export class Authentication {
  readonly #database: Database;
  readonly #cache: CallerCache;
  readonly #adminHash: Uint8Array | null;
  readonly #onError: (error: unknown) => void;

  /**
   * @param adminToken ADMIN_TOKEN, which is always valid; null for none.
   * @param onError receives the error when the time of a token's use could not be stored.
   */
  constructor(
    database: Database,
    cache: CallerCache,
    adminToken: string | null,
    onError: (error: unknown) => void,
  ) {
    this.#database = database;
    this.#cache = cache;
    this.#adminHash = adminToken === null ? null : hashSecret(adminToken);
    this.#onError = onError;
  }

  /** The caller with this secret; null for a secret that is not valid. A cached caller is returned without a promise. */
  authenticate(secret: string): Caller | Promise<Caller | null> {
    const hash = hashSecret(secret);
    if (this.#adminHash && sameHash(hash, this.#adminHash)) return adminCaller();
    const key = Buffer.from(hash).toString("latin1");
    return this.#cache.find(key) ?? this.#cache.read(key, () => this.#read(hash));
  }

  async #read(hash: Uint8Array): Promise<Caller | null> {
    const [token] = await this.#database.query<TokenRow>(
      statement("token_authenticate")`
      select t.id, t.name, ${tokenRightsColumns}, t.telegram_user_id as "telegramUserId",
        coalesce(t.last_used_at < now() - interval '1 minute', true) and not pg_is_in_recovery() as "storesUse"
      from api_token t where t.secret_hash = ${Buffer.from(hash)} and t.revoked_at is null`,
      "frequent and quick",
    );
    if (!token) return null;
    if (token.storesUse) this.#storeUse(token.id).catch(this.#onError);
    return {
      key: `token:${token.id}`,
      name: token.name,
      role: token.role,
      chatIds: chatIdsOf(token),
      telegramUserId: token.telegramUserId,
    };
  }

  /** Stores that a token was used: at most once a minute, so that few reads cause a write. The request does not wait. */
  async #storeUse(id: string): Promise<void> {
    await this.#database.prisma.apiToken.updateMany({ where: { id }, data: { lastUsedAt: new Date() } });
  }
}
