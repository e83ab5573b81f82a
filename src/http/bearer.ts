import type { FastifyRequest } from "fastify";
import type { Authentication } from "../domain/access/authentication.js";
import type { Caller } from "../domain/access/caller.js";

/** The caller whom a request's Authorization header names; null without one, or with one that is not valid. */
export async function findCaller(
  authentication: Authentication,
  request: FastifyRequest,
): Promise<Caller | null> {
  const secret = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? "")?.[1];
  return secret === undefined ? null : authentication.authenticate(secret);
}
