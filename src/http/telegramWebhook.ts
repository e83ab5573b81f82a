import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { refuseOtherMethods } from "./lifecycle/methods.js";
import { addRequestFormat, RequestRefusedError } from "./lifecycle/requestFormat.js";

export const TELEGRAM_WEBHOOK_PATH = "/telegram/webhook";

const SECRET_HEADER = "x-telegram-bot-api-secret-token";
/** Bytes; Telegram's updates are far shorter. */
const BODY_LIMIT = 1024 * 1024;
/** Telegram waits so many seconds before it repeats the call. */
const RETRY_AFTER = "2";

export interface TelegramWebhookOptions {
  /** What Telegram must send in the header, as it was registered. */
  readonly secret: string;
  /** Resolves when the update is stored. */
  readonly receive: (update: unknown) => Promise<void>;
  /** Whether an error says that the update cannot be stored now, so that the call must be repeated. */
  readonly isTemporary: (error: unknown) => boolean;
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Compares in constant time, whatever the lengths. */
function secretCheck(secret: string): (given: unknown) => boolean {
  const expected = digest(secret);
  return (given) => typeof given === "string" && timingSafeEqual(digest(given), expected);
}

/**
 * Receives Telegram's updates: 200 after an update is stored, 503 while it cannot be. A body that is not JSON is 400. Any
 * other status than 2xx makes Telegram repeat the call.
 */
export async function addTelegramWebhook(
  server: FastifyInstance,
  { secret, receive, isTemporary }: TelegramWebhookOptions,
): Promise<void> {
  const isRight = secretCheck(secret);
  const routes: FastifyPluginAsync = async (endpoint) => {
    endpoint.addHook("onRequest", (request, _reply, done) => {
      if (isRight(request.headers[SECRET_HEADER])) return done();
      done(new RequestRefusedError(401, "UNAUTHENTICATED", "The secret token is missing or wrong."));
    });
    addRequestFormat(endpoint, {
      answers: ["application/json"],
      parse(_request, text, done) {
        let body: unknown;
        try {
          body = JSON.parse(text);
        } catch {
          return done(new RequestRefusedError(400, "BAD_REQUEST", "The body is not JSON."));
        }
        done(null, body);
      },
    });
    endpoint.post(TELEGRAM_WEBHOOK_PATH, { bodyLimit: BODY_LIMIT }, async (request, reply) => {
      if (request.body === undefined) throw new RequestRefusedError(400, "BAD_REQUEST", "The body is empty.");
      try {
        await receive(request.body);
      } catch (error) {
        if (!isTemporary(error)) throw error;
        throw new RequestRefusedError(503, "DATABASE_UNAVAILABLE", "The update cannot be stored now.", {
          "retry-after": RETRY_AFTER,
        });
      }
      return reply.send({ ok: true });
    });
    refuseOtherMethods(endpoint, [TELEGRAM_WEBHOOK_PATH]);
  };
  await server.register(routes);
}
