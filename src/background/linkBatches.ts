import { setTimeout as delay } from "node:timers/promises";
import sql from "sql-template-tag";
import type { BackgroundSession } from "../database/dedicatedSession.js";
import { unavailabilityOf } from "../database/failures.js";
import { isPresent, WORK_RELEASED } from "../database/presence.js";
import { statement } from "../database/statement.js";
import {
  BatchMaker,
  type BatchMakerServices,
  type ItemOutcome,
  type NextStep,
} from "../domain/links/batches/batchMaker.js";
import { UserError } from "../domain/shared/errors.js";
import type { Logger } from "../log.js";
import { runInBackground, type Tracing } from "../tracing/tracing.js";

/** Between two looks for batches of servers that have died, in milliseconds. */
const LOOK_MS = 2_000;
/** After a step that failed because of the database. */
const AGAIN_MS = 1_000;

export interface LinkBatchRunnerOptions extends BatchMakerServices {
  readonly session: BackgroundSession;
  readonly log: Logger;
  readonly onItem: (outcome: ItemOutcome) => void;
  /** Default: steps are not traced. */
  readonly tracing?: Tracing | null;
}

/**
 * Creates the links of batches. Each server works on the batches that it was given, and on those of servers that have died.
 * It creates one link at a time, and its batches take turns.
 */
export class LinkBatchRunner {
  readonly #options: LinkBatchRunnerOptions;
  readonly #maker: BatchMaker;
  readonly #stopped = new AbortController();
  /** The work on each batch, by id. */
  readonly #running = new Map<string, Promise<void>>();
  /** The end of the last step. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Ends all waits. */
  #wake = new AbortController();
  #looking: Promise<void> | undefined;

  constructor(options: LinkBatchRunnerOptions) {
    const { session: _session, tracing: _tracing, log, onItem, ...services } = options;
    this.#options = options;
    const gateway = services.gateway.forBackground(this.#stopped.signal);
    this.#maker = new BatchMaker({ ...services, gateway }, log, onItem);
  }

  /** The number of batches that this server works on. */
  get running(): number {
    return this.#running.size;
  }

  start(): void {
    this.#looking = this.#look();
  }

  /** Looks at once for batches that were added, cancelled or given back by another server. */
  wake(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  /** Waits for the link that is being created, and gives the batches to other servers. May be called repeatedly. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.wake();
    await this.#looking;
    await Promise.all(this.#running.values());
    const { session, serverId } = this.#options;
    await session.query(statement("link_batches_release")`
      with released as (
        update link_batch set owner_id = null where owner_id = ${serverId}::uuid and finished_at is null returning id
      )
      select pg_notify(${WORK_RELEASED}::text, '') from released`);
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const woken = this.#pause(LOOK_MS);
      try {
        await this.#endAbandoned();
        for (const id of await this.#take()) this.#begin(id);
      } catch (error) {
        this.#report(error);
      }
      await woken;
    }
  }

  /** Ends the creations of servers that have died, which nobody goes on with: they keep their external ids until then. */
  async #endAbandoned(): Promise<void> {
    const { session, serverId, creationIntents } = this.#options;
    const rows = await session.query<{ id: string }>(statement("link_creations_abandoned")`
      select id from link_creation where state in ('PREPARED', 'SENT') and owner_id <> ${serverId}::uuid
        and not ${isPresent(sql`owner_id::text`)}`);
    for (const { id } of rows) await creationIntents.endAbandoned(id);
  }

  /** Takes the batches that no living server works on. @returns all batches of this server. */
  async #take(): Promise<string[]> {
    const { session, serverId } = this.#options;
    const own = sql`${serverId}::uuid`;
    await session.query(statement("link_batches_take")`
      update link_batch set owner_id = ${own} where id in (
        select id from link_batch b where b.finished_at is null
          and (b.owner_id is null or b.owner_id <> ${own} and not ${isPresent(sql`b.owner_id::text`)})
        order by id for update skip locked)`);
    const rows = await session.query<{ id: string }>(statement("link_batches_own")`
      select id from link_batch where finished_at is null and owner_id = ${own} order by id`);
    return rows.map(({ id }) => id);
  }

  #begin(id: string): void {
    if (this.#running.has(id) || this.#stopped.signal.aborted) return;
    const work = this.#work(id).finally(() => this.#running.delete(id));
    this.#running.set(id, work);
  }

  async #work(id: string): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      // The batch may be cancelled during the step, after the step has read it.
      const { signal: wake } = this.#wake;
      const next = await this.#inTurn(() => this.#step(id));
      if (next === null) return;
      if (next > 0) await this.#pause(next, wake);
    }
  }

  /** Runs one step at a time, in the order in which they are asked for. */
  #inTurn(step: () => Promise<NextStep>): Promise<NextStep> {
    const result = this.#turn.then(step);
    this.#turn = result;
    return result;
  }

  /** Never rejects. */
  async #step(id: string): Promise<NextStep> {
    if (this.#stopped.signal.aborted) return null;
    const { tracing = null } = this.#options;
    try {
      return await runInBackground(tracing, "link batch step", () => this.#maker.step(id));
    } catch (error) {
      this.#report(error);
      return AGAIN_MS;
    }
  }

  #report(error: unknown): void {
    const { storageGuard, log } = this.#options;
    storageGuard.recordFailure(error);
    // An outage has a log line of its own, and so has a result of Telegram's that could not be stored.
    if (unavailabilityOf(error) === null && !(error instanceof UserError))
      log.error({ err: error }, "a step of a batch of links failed and is repeated");
  }

  async #pause(milliseconds: number, wake = this.#wake.signal): Promise<void> {
    // A step that was under way when the runner was stopped may ask for a pause.
    if (this.#stopped.signal.aborted) return;
    await delay(milliseconds, undefined, { signal: wake }).catch(() => {});
  }
}
