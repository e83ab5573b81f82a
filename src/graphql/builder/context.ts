import type { Database } from "../../database/database.js";
import type { PrismaClient } from "../../database/generated/prisma/client.js";
import { type Domain, DomainRequest, type RequestOrigin } from "../../domain/request.js";
import type { UserError } from "../../domain/shared/errors.js";

/** The context of an operation's resolvers: everything that the caller can do, and nothing about HTTP. */
export class GraphQLContext extends DomainRequest {
  readonly #database: Database;
  /** Typed errors that mutations have returned. The errors list of the result does not contain them. */
  readonly givenErrors: UserError[] = [];

  /** The id of the last event that the client of a stream has received; null without one. */
  readonly lastEventId: string | null;

  constructor(domain: Domain, origin: RequestOrigin & { readonly lastEventId?: string | null }) {
    super(domain, origin);
    this.lastEventId = origin.lastEventId ?? null;
    this.#database = domain.database;
  }

  /** Only for Prisma's plugin, which reads API tokens and uncertain creations. Leads to where reads go at the moment. */
  get prisma(): PrismaClient {
    return this.#database.prisma;
  }

  /**
   * Called before each mutation of an operation, so that the mutation and the fields of its result see the changes of
   * earlier mutations.
   * @throws DatabaseUnavailableError while nothing can be stored.
   */
  beginMutation(): void {
    this.renew();
  }
}
