import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UpdateInviteLinkInput } from "../../../../src/domain/links/edit/linkEditor.js";
import { UserError } from "../../../../src/domain/shared/errors.js";
import type { SandboxFault } from "../../../../src/sandbox/sandbox.js";
import { ALL_FORMS, describeOnForms } from "../../../support/databases.js";
import { propertyInTime } from "../../../support/properties.js";
import { openWorkshop, type WorkingServer, type Workshop } from "../workshop.js";

const LINKS = 2;
/** Longer than any call takes on a busy machine: a call that is given up could be carried out after the next one. */
const TIMEOUT_MS = 5000;

interface Step {
  readonly server: 0 | 1;
  readonly link: number;
  /** The changed settings; null for a revocation. */
  readonly change: Omit<UpdateInviteLinkInput, "id"> | null;
}

const inAnHour = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);
const change: fc.Arbitrary<Step["change"]> = fc.record(
  {
    name: fc.constantFrom("A", "B", " C ", null),
    createsJoinRequest: fc.constant(false),
    expireDate: fc.constantFrom(inAnHour, new Date(inAnHour.getTime() + 1500), null),
    memberLimit: fc.constantFrom(1, 99_999, null),
    budget: fc.constantFrom("1.00", "2.00"),
  },
  { requiredKeys: [] },
);
const step: fc.Arbitrary<Step> = fc.record({
  server: fc.constantFrom<(0 | 1)[]>(0, 1),
  link: fc.nat(LINKS - 1),
  change: fc.oneof(
    { weight: 8, arbitrary: change },
    { weight: 2, arbitrary: fc.constant({ createsJoinRequest: true, memberLimit: null }) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
});
const fault: fc.Arbitrary<{ fault: SandboxFault; skip: number }> = fc.record({
  fault: fc.oneof<fc.Arbitrary<SandboxFault>[]>(
    fc.record({ kind: fc.constant("slow"), ms: fc.nat(40) }),
    fc.record({ kind: fc.constant("cut"), effect: fc.constantFrom("before", "after") }),
    fc.record({ kind: fc.constant("server-error"), effect: fc.constantFrom("before", "after") }),
    fc.constantFrom<SandboxFault[]>(
      { kind: "half-body" },
      { kind: "not-json" },
      { kind: "too-many-requests", retryAfter: 60 },
      { kind: "error", error_code: 400, description: "Bad Request: not enough rights" },
    ),
  ),
  skip: fc.nat(3),
});
/** Steps that run at once, the faults of Telegram meanwhile, and the server that counts as dead. */
const round = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 5 }),
  faults: fc.array(fault, { maxLength: 3 }),
  dead: fc.option(fc.constantFrom<(0 | 1)[]>(0, 1), { freq: 4 }),
});

await describeOnForms("edits under failures", ALL_FORMS, (form) => {
  let workshop: Workshop;
  let servers: [WorkingServer, WorkingServer];
  let patient: [WorkingServer, WorkingServer];
  beforeAll(async () => {
    workshop = await openWorkshop(form);
    servers = [await workshop.serve(TIMEOUT_MS), await workshop.serve(TIMEOUT_MS)];
    patient = [await workshop.serve(15_000), await workshop.serve(15_000)];
  });
  afterAll(() => workshop.close());

  /** @returns whether the outcome is unknown. */
  const take = async ({ server, link, change: input }: Step, ids: readonly string[]): Promise<boolean> => {
    const editor = servers[server].editor();
    const id = ids[link] as string;
    try {
      await (input === null ? editor.revoke({ id }) : editor.update({ id, ...input }));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return "outcomeUnknown" in error && error.outcomeUnknown === true;
    }
    return false;
  };

  test("after any failures, sending a link's stored settings once more makes Telegram agree and leaves no lock", async () => {
    const { sandbox, alive, test: database } = workshop;
    const scenario = propertyInTime(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      // A server that was told to wait for a minute would make no call in the runs after that.
      servers = [await workshop.serve(TIMEOUT_MS, servers[0]), await workshop.serve(TIMEOUT_MS, servers[1])];
      const ids = await Promise.all(Array.from({ length: LINKS }, () => workshop.makeLink()));
      const lostRevocations = new Set<string>();
      for (const { steps, faults, dead } of rounds) {
        for (const { fault: happens, skip } of faults) sandbox.control.fail(happens, { skip });
        const taken = Promise.all(
          steps.map(async (one) => {
            const isLost = await take(one, ids);
            if (isLost && one.change === null) lostRevocations.add(ids[one.link] as string);
          }),
        );
        if (dead !== null) alive.delete(servers[dead].id);
        await taken;
        if (dead !== null) alive.add(servers[dead].id);
        sandbox.control.clearFaults();
      }
      for (const { pendingWork } of servers) await pendingWork.drained();
      const left = await database.database.prisma.linkChange.findMany();
      expect(left.filter(({ ownerId }) => ownerId !== null)).toEqual([]);
      for (const { maybeEdited, maybeRevoked } of left) expect(maybeEdited || maybeRevoked).toBe(true);

      for (const id of ids) {
        const { isRevoked, expireDate, ...rest } = await workshop.stored(id);
        const form_ = { ...rest, expireDate: expireDate === null ? null : new Date(expireDate * 1000) };
        const [server] = patient;
        await server
          .editor()
          .update({ id, ...form_ })
          .catch((error: unknown) => {
            throw new Error(`The stored settings were refused: ${String(error)}, revoked: ${isRevoked}`);
          });
        const [stored, inTelegram] = [await workshop.stored(id), await workshop.inTelegram(id)];
        // After a revocation whose answer was lost, Telegram says only that the link is revoked, and nothing of its settings.
        if (lostRevocations.has(id)) expect(stored.isRevoked).toBe(inTelegram.isRevoked);
        else expect(stored).toEqual(inTelegram);
      }
    });
    await fc.assert(scenario, { numRuns: 25, endOnFailure: true });
  }, 120_000);

  test("twenty edits of one link at once leave the same state in Telegram and in the database", async () => {
    const id = await workshop.makeLink();
    workshop.sandbox.control.fail({ kind: "slow", ms: 30 }, { times: 5, skip: 2 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        patient[index % 2]?.editor().update({ id, name: `At once ${index}`, memberLimit: index + 1 }),
      ),
    );
    expect(answers.map((link) => link?.id)).toEqual(Array.from({ length: 20 }, () => id));
    const stored = await workshop.stored(id);
    expect(stored).toEqual(await workshop.inTelegram(id));
    expect(stored.name).toBe(`At once ${(stored.memberLimit ?? 0) - 1}`);
    expect(await workshop.test.database.prisma.linkChange.count({ where: { linkId: id } })).toBe(0);
  });
});
