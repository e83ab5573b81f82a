import type { PrismaClient } from "../database/generated/prisma/client.js";
import type { UserError } from "../domain/errors.js";
import type { DomainRequest } from "../domain/request.js";

/** What resolvers have at hand: what the caller can do, and nothing of the door it came through. */
export interface GraphQLContext extends DomainRequest {
  /** For Prisma's plugin alone, which reads the types of administration. */
  readonly prisma: PrismaClient;
  /** Those that mutations gave as their results, which the result's errors do not name. */
  readonly givenErrors: UserError[];
  /** For each mutation of an operation: it, and what is read of its result, sees what those before it changed. */
  afresh(): DomainRequest;
}

/** @param open opens a request of the operation's caller. */
export function createContext(prisma: PrismaClient, open: () => DomainRequest): GraphQLContext {
  const context: GraphQLContext = {
    ...open(),
    prisma,
    givenErrors: [],
    afresh: () => Object.assign(context, open()),
  };
  return context;
}
