import type { PrismaClient } from "../../database/generated/prisma/client.js";
import { type Domain, DomainRequest, type RequestOrigin } from "../../domain/request.js";
import type { UserError } from "../../domain/shared/errors.js";

/** What resolvers have at hand: what the caller can do, and nothing of the door it came through. */
export class GraphQLContext extends DomainRequest {
  /** For Prisma's plugin alone, which reads the types of administration. */
  readonly prisma: PrismaClient;
  /** Those that mutations gave as their results, which the result's errors do not name. */
  readonly givenErrors: UserError[] = [];

  constructor(domain: Domain, origin: RequestOrigin) {
    super(domain, origin);
    this.prisma = domain.database.prisma;
  }

  /** For each mutation of an operation: it, and what is read of its result, sees what those before it changed. */
  afresh(): this {
    this.renew();
    return this;
  }
}
