import * as z from "zod";
import type { Database, UnitOfWork } from "../../../database/database.js";
import type { LinkCreation, Prisma } from "../../../database/generated/prisma/client.js";
import { parseInviteLinkUrl } from "../../../parsers/inviteLinkUrl.js";
import { cleanLinkName } from "../../../telegram/names.js";
import { followMovedGrants } from "../../access/movedGrants.js";
import { audit } from "../../shared/audit.js";
import { type Caller, requireRole } from "../../shared/caller.js";
import { NotFoundError, Problems, ValidationError } from "../../shared/errors.js";
import { parseId } from "../../shared/ids.js";
import type { CreationIntents } from "./creationIntents.js";
import { ForeignLinkError, type LinkSpec, storeCreatedLink } from "./storeCreatedLink.js";

export interface ResolveCreationInput {
  /** A global id or a bare UUID. */
  readonly id: string;
  /** The address of the link that Telegram created; null if none was created. */
  readonly url?: string | null | undefined;
  /** Whether no link was created; either this or `url` must be given. */
  readonly notMade: boolean;
}

/** The arguments of a request as its intent stores them; toRequest in linkCreator.ts writes them. */
const storedArguments = z.object({
  name: z.string(),
  createsJoinRequest: z.boolean(),
  expireDate: z.coerce.date().nullable(),
  memberLimit: z.number().nullable(),
  budget: z.string(),
  priceStars: z.number().nullable(),
  /** Left out where the caller gave none. */
  externalId: z.string().nullable().default(null),
});

/** The link that a creation requested. */
export function linkSpecOf({ arguments: stored }: Pick<LinkCreation, "arguments">): LinkSpec {
  const { name, createsJoinRequest, expireDate, memberLimit, priceStars, ...rest } =
    storedArguments.parse(stored);
  return {
    settings: {
      name: cleanLinkName(name),
      createsJoinRequest,
      expireDate: expireDate && Math.floor(expireDate.getTime() / 1000),
      memberLimit,
    },
    subscriptionPrice: priceStars,
    ...rest,
  };
}

/** Uncertain creations, for one request: nobody knows whether Telegram created the link. */
export class UncertainCreations {
  readonly #database: Database;
  readonly #creationIntents: CreationIntents;
  readonly #caller: Caller;

  constructor(
    { database, creationIntents }: { database: Database; creationIntents: CreationIntents },
    caller: Caller,
  ) {
    this.#database = database;
    this.#creationIntents = creationIntents;
    this.#caller = caller;
  }

  /** The condition for the uncertain creations that the caller may see and settle. */
  get visible(): Prisma.LinkCreationWhereInput {
    const { role, chatIds } = this.#caller;
    if (role !== "ADMIN") return { id: { in: [] } };
    const channel = chatIds && { chatId: { in: [...chatIds].map(BigInt) } };
    return { state: "UNCERTAIN", ...(channel && { channel }) };
  }

  /**
   * The same condition for the list of uncertain creations. First the creations of servers that have died are marked.
   * @throws ForbiddenError
   */
  async listed(): Promise<Prisma.LinkCreationWhereInput> {
    requireRole(this.#caller, "ADMIN");
    await this.#creationIntents.endAllAbandoned();
    await followMovedGrants(this.#database, this.#caller);
    return this.visible;
  }

  /**
   * Settles an uncertain creation by what an administrator has found in Telegram. From then on its idempotency key gives
   * the link, or is free.
   * @returns the link's id; null if no link was created.
   * @throws ForbiddenError, NotFoundError, ValidationError
   */
  async resolve(input: ResolveCreationInput): Promise<string | null> {
    const where = await this.listed();
    const problems = new Problems();
    const id = parseId("UncertainCreation", input.id, "id", problems);
    const given = input.url ?? null;
    const url = given === null ? null : parseInviteLinkUrl(given);
    if (given === null && !input.notMade)
      problems.add("url", "Give the link's address, or set notMade if no link was created.");
    if (given !== null && input.notMade)
      problems.add("notMade", "A link that was not created has no address.");
    if (given !== null && url === null)
      problems.add("url", "Must be the address of an invite link, such as https://t.me/+AbCdEf0123456789.");
    problems.check();
    const creation =
      id && (await this.#database.prisma.linkCreation.findFirst({ where: { AND: [where, { id }] } }));
    if (!creation) throw new NotFoundError("uncertain creation");
    return url === null ? this.#settleWithoutLink(creation) : this.#settleWithLink(creation, url);
  }

  async #settleWithoutLink({ id, channelId }: LinkCreation): Promise<null> {
    await this.#database.transaction(async (unit) => {
      const { count } = await unit.prisma.linkCreation.updateMany({
        where: { id, state: "UNCERTAIN" },
        data: {
          state: "FAILED",
          idempotencyKey: null,
          failure: "found not to have been made",
          updatedAt: new Date(),
        },
      });
      if (count === 0) throw new NotFoundError("uncertain creation");
      const change = { made: false };
      await audit(unit, this.#caller, { action: "linkCreation.resolve", subjectId: id, channelId, change });
    });
    return null;
  }

  async #settleWithLink(creation: LinkCreation, url: string): Promise<string> {
    const { id, channelId, createdAt } = creation;
    const creatorId = await this.#creatorOf(creation);
    try {
      return await this.#database.transaction(async (unit) => {
        const { count } = await unit.prisma.linkCreation.updateMany({
          where: { id, state: "UNCERTAIN" },
          data: { updatedAt: new Date() },
        });
        if (count === 0) throw new NotFoundError("uncertain creation");
        await this.#requireUnknownElsewhere(unit, creation, url);
        const linkId = await storeCreatedLink(unit, {
          creationId: id,
          botId: Number(creation.botId),
          caller: this.#caller,
          creatorId,
          createdAt,
          spec: linkSpecOf(creation),
          answer: { invite_link: url },
        });
        const change = { made: true, url };
        await audit(unit, this.#caller, { action: "linkCreation.resolve", subjectId: id, channelId, change });
        return linkId;
      });
    } catch (error) {
      if (!(error instanceof ForeignLinkError)) throw error;
      throw new ValidationError([
        {
          field: "url",
          message: "This link is stored already, and another creation or an update created it.",
        },
      ]);
    }
  }

  /** @throws ForeignLinkError if the link is stored for another channel: a link belongs to one chat. */
  async #requireUnknownElsewhere({ prisma }: UnitOfWork, { id }: LinkCreation, url: string): Promise<void> {
    const { channelId } = await prisma.linkCreation.findUniqueOrThrow({
      where: { id },
      select: { channelId: true },
    });
    const elsewhere = { url, channelId: { not: channelId } };
    if (await prisma.inviteLink.findFirst({ where: elsewhere, select: { id: true } })) {
      throw new ForeignLinkError(url);
    }
  }

  /** The Telegram user behind the token with which the link was requested; null if there is none. */
  async #creatorOf({ caller }: LinkCreation): Promise<number | null> {
    const [kind, id] = caller.split(":");
    if (kind !== "token" || id === undefined) return null;
    const token = await this.#database.prisma.apiToken.findUnique({ where: { id } });
    return token?.telegramUserId == null ? null : Number(token.telegramUserId);
  }
}
