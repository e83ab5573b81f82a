import type { PrismaClient } from "../database/generated/prisma/client.js";
import type { DomainRequest } from "../domain/request.js";

/** What resolvers have at hand: what the caller can do, and nothing of the door it came through. */
export type GraphQLContext = Readonly<DomainRequest> & {
  /** For Prisma's plugin alone, which reads the types of administration. */
  readonly prisma: PrismaClient;
};
