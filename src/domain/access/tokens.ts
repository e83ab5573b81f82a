import type { Database, UnitOfWork } from "../../database/database.js";
import type { Prisma } from "../../database/generated/prisma/client.js";
import { statement } from "../../database/statement.js";
import { audit, SERVER } from "../shared/audit.js";
import { type Caller, type Role, requireRole } from "../shared/caller.js";
import { ForbiddenError, NotFoundError, Problems } from "../shared/errors.js";
import { newId, parseId } from "../shared/ids.js";
import { tidyName } from "../shared/text.js";
import type { CallerCache } from "./callerCache.js";
import { hashSecret, newSecret } from "./secrets.js";

const MAX_NAME_CODE_POINTS = 100;
const MAX_CHANNELS = 10_000;

export interface CreateApiTokenInput {
  readonly name: string;
  readonly role: Role;
  /** The chats that the token may use; null for every chat. A required key: forgetting it would grant everything. */
  readonly chatIds: readonly number[] | null | undefined;
  /** The Telegram user behind the token, who counts as the creator of its links. */
  readonly telegramUserId?: number | null | undefined;
}

/**
 * The condition for the tokens that a caller may see and revoke. An administrator of some channels sees the tokens whose
 * channels are all among these.
 */
export function visibleTokens(caller: Caller): Prisma.ApiTokenWhereInput {
  if (caller.role !== "ADMIN") return { id: { in: [] } };
  if (caller.chatIds === null) return {};
  const own = { chatId: { in: [...caller.chatIds].map(BigInt) } };
  return { allChannels: false, grants: { some: own, every: own } };
}

/** The condition of visibleTokens, for the list of tokens. @throws ForbiddenError for a caller that is no administrator. */
export function listedTokens(caller: Caller): Prisma.ApiTokenWhereInput {
  requireRole(caller, "ADMIN");
  return visibleTokens(caller);
}

async function insert(
  unit: UnitOfWork,
  caller: Pick<Caller, "key">,
  input: CreateApiTokenInput,
  secret: string,
) {
  const { name, role, chatIds = null, telegramUserId = null } = input;
  const grants = [...new Set(chatIds ?? [])];
  const id = newId();
  const token = await unit.prisma.apiToken.create({
    data: {
      id,
      name,
      role,
      secretHash: hashSecret(secret),
      allChannels: chatIds === null,
      telegramUserId: telegramUserId === null ? null : BigInt(telegramUserId),
      createdAt: new Date(),
      grants: { createMany: { data: grants.map((chatId) => ({ chatId: BigInt(chatId) })) } },
    },
  });
  const change = { name, role, channelIds: chatIds === null ? null : grants };
  await audit(unit, caller, { action: "apiToken.create", subjectId: id, change });
  return token;
}

/** Stores an ADMIN token for every channel, which the server makes for itself. */
export async function insertOwnToken(database: Database, name: string, secret: string): Promise<void> {
  await database.transaction((unit) => insert(unit, SERVER, { name, role: "ADMIN", chatIds: null }, secret));
}

/** As insertOwnToken, but only if there is no token yet, also if servers start together. @returns whether it was stored. */
export async function insertFirstToken(database: Database, secret: string): Promise<boolean> {
  return database.transaction(async (unit) => {
    await unit.execute(statement("tokens_lock_for_first")`lock table api_token in share row exclusive mode`);
    if ((await unit.prisma.apiToken.count()) > 0) return false;
    await insert(unit, SERVER, { name: "First token", role: "ADMIN", chatIds: null }, secret);
    return true;
  });
}

/** Whether a secret belongs to a valid token. */
export async function isKnownSecret({ prisma }: Database, secret: string): Promise<boolean> {
  return (await prisma.apiToken.count({ where: { secretHash: hashSecret(secret), revokedAt: null } })) > 0;
}

/** API tokens, for one request. */
export class Tokens {
  readonly #database: Database;
  readonly #callerCache: CallerCache;
  readonly #caller: Caller;

  constructor({ database, callerCache }: { database: Database; callerCache: CallerCache }, caller: Caller) {
    this.#database = database;
    this.#callerCache = callerCache;
    this.#caller = caller;
  }

  /**
   * Creates a token. A caller that is limited to some channels creates tokens for these channels only.
   * @returns the token with its secret, which is stored nowhere and cannot be read again.
   * @throws ForbiddenError, ValidationError
   */
  async create(input: CreateApiTokenInput) {
    requireRole(this.#caller, "ADMIN");
    const problems = new Problems();
    const name = tidyName(input.name, MAX_NAME_CODE_POINTS, "name", problems);
    if ((input.chatIds?.length ?? 0) > MAX_CHANNELS)
      problems.add("channelIds", `Must be at most ${MAX_CHANNELS}.`);
    if (input.telegramUserId != null && input.telegramUserId <= 0) {
      problems.add("telegramUserId", "Must be the id of a Telegram user, which is positive.");
    }
    problems.check();
    const own = this.#caller.chatIds;
    if (own && !(input.chatIds?.length && input.chatIds.every((id) => own.has(id)))) {
      throw new ForbiddenError(
        "This token is limited to some channels, and creates tokens for these channels only.",
      );
    }
    const secret = newSecret();
    const apiToken = await this.#database.transaction((unit) =>
      insert(unit, this.#caller, { ...input, name }, secret),
    );
    return { apiToken, secret };
  }

  /**
   * Revokes a token. When this returns, no server accepts the token any more. Revoking it again changes nothing.
   * @throws ForbiddenError, ValidationError, NotFoundError
   */
  async revoke(input: { readonly id: string }) {
    requireRole(this.#caller, "ADMIN");
    const problems = new Problems();
    const id = parseId("ApiToken", input.id, "id", problems);
    problems.check();
    const revoked = await this.#database.transaction(async (unit) => {
      const token =
        id && (await unit.prisma.apiToken.findFirst({ where: { id, ...visibleTokens(this.#caller) } }));
      if (!token) throw new NotFoundError("API token");
      if (token.revokedAt !== null) return token;
      await audit(unit, this.#caller, {
        action: "apiToken.revoke",
        subjectId: token.id,
        change: { name: token.name },
      });
      return unit.prisma.apiToken.update({ where: { id: token.id }, data: { revokedAt: new Date() } });
    });
    await this.#callerCache.forget();
    return revoked;
  }
}
