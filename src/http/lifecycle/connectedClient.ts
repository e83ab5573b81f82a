import type { FastifyReply } from "fastify";
import type { RequestClient } from "../../domain/request.js";

/** The client that waits for a reply. */
export class ConnectedClient implements RequestClient {
  readonly #response: FastifyReply["raw"];
  #leaving: AbortController | undefined;

  constructor(reply: FastifyReply) {
    this.#response = reply.raw;
  }

  get hasLeft(): boolean {
    return this.#response.destroyed && !this.#response.writableFinished;
  }

  get leaving(): AbortSignal {
    if (this.#leaving) return this.#leaving.signal;
    const leaving = new AbortController();
    this.#leaving = leaving;
    if (this.hasLeft) leaving.abort();
    this.#response.once("close", () => {
      if (this.hasLeft) leaving.abort();
    });
    return leaving.signal;
  }
}
