import type { PrismaClient } from "../database/generated/prisma/client.js";
import type { UserError } from "../domain/errors.js";
import type { DomainRequest } from "../domain/request.js";

/** What resolvers have at hand: what the caller can do, and nothing of the door it came through. */
export class GraphQLContext implements DomainRequest {
  /** For Prisma's plugin alone, which reads the types of administration. */
  readonly prisma: PrismaClient;
  /** Those that mutations gave as their results, which the result's errors do not name. */
  readonly givenErrors: UserError[] = [];
  readonly #open: () => DomainRequest;
  #request: DomainRequest;

  /** @param open opens a request of the operation's caller. */
  constructor(prisma: PrismaClient, open: () => DomainRequest) {
    this.prisma = prisma;
    this.#open = open;
    this.#request = open();
  }

  /** For each mutation of an operation: it, and what is read of its result, sees what those before it changed. */
  afresh(): DomainRequest {
    this.#request = this.#open();
    return this.#request;
  }

  get caller() {
    return this.#request.caller;
  }
  get loaders() {
    return this.#request.loaders;
  }
  get links() {
    return this.#request.links;
  }
  get linkMaker() {
    return this.#request.linkMaker;
  }
  get tags() {
    return this.#request.tags;
  }
  get channels() {
    return this.#request.channels;
  }
  get tokens() {
    return this.#request.tokens;
  }
}
