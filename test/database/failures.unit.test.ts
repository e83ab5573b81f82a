import { DriverAdapterError } from "@prisma/driver-adapter-utils";
import fc from "fast-check";
import pg from "pg";
import { describe, expect, test } from "vitest";
import {
  ADAPTER_KINDS,
  type FailureKind,
  failureOf,
  isWriteConflict,
  MESSAGES,
  NETWORK_CODES,
  PRISMA_CODES,
  SQLSTATE_CLASSES,
  SQLSTATES,
  unavailabilityOf,
} from "../../src/database/failures.js";
import { Prisma } from "../../src/database/generated/prisma/client.js";

const known = (code: string, meta?: Record<string, unknown>, message = "said by Prisma") =>
  new Prisma.PrismaClientKnownRequestError(message, {
    code,
    clientVersion: "7",
    ...(meta && { meta }),
  });

function ofPostgres(code: string, more: object = {}): pg.DatabaseError {
  const error = new pg.DatabaseError("said by PostgreSQL", 0, "error");
  return Object.assign(error, { code, severity: "ERROR", ...more });
}

/** The forms in which a SQLSTATE reaches this program. */
const carriers: Record<string, (code: string) => unknown> = {
  "of PostgreSQL itself": (code) => ofPostgres(code),
  "of a raw query of Prisma's": (code) =>
    known("P2010", {
      driverAdapterError: new DriverAdapterError({
        kind: "postgres",
        originalCode: code,
        code,
        severity: "ERROR",
        message: "said",
        detail: undefined,
        column: undefined,
        hint: undefined,
      }),
    }),
  "of a COMMIT through Prisma's adapter": (code) =>
    new DriverAdapterError({
      kind: "postgres",
      originalCode: code,
      code,
      severity: "ERROR",
      message: "said",
      detail: undefined,
      column: undefined,
      hint: undefined,
    }),
  "as another error's cause": (code) => new Error("outer", { cause: ofPostgres(code) }),
  "among several": (code) => new AggregateError([new Error("first"), ofPostgres(code)], "several"),
};

describe.each(Object.entries(carriers))("a SQLSTATE %s", (_how, made) => {
  test("has the meaning of its class", () => {
    for (const [state, kind] of Object.entries(SQLSTATE_CLASSES))
      expect([state, failureOf(made(`${state}999`)).kind]).toEqual([state, kind]);
  });
  test("has its own meaning if it is listed", () => {
    for (const [state, kind] of Object.entries(SQLSTATES))
      expect([state, failureOf(made(state)).kind]).toEqual([state, kind]);
  });
  test("that PostgreSQL does not know counts as other", () => {
    for (const state of ["ZZZZZ", "99999", "__pro"]) expect(failureOf(made(state)).kind).toBe("other");
  });
});

test.each<[string, FailureKind]>([
  ["40001", "conflict"],
  ["40P01", "conflict"],
  ["08000", "unreachable"],
  ["08003", "unreachable"],
  ["08006", "unreachable"],
  ["08P01", "unreachable"],
  ["28P01", "unreachable"],
  ["3D000", "unreachable"],
  ["57P01", "unreachable"],
  ["57P02", "unreachable"],
  ["57P03", "unreachable"],
  ["57P04", "unreachable"],
  ["57P05", "unreachable"],
  ["58000", "unreachable"],
  ["58030", "unreachable"],
  ["57014", "timeout"],
  ["25P03", "timeout"],
  ["53000", "busy"],
  ["53100", "diskFull"],
  ["53200", "busy"],
  ["53300", "busy"],
  ["53400", "busy"],
  ["55P03", "busy"],
  ["25006", "readOnly"],
  ["23503", "missingReference"],
  ["22003", "other"],
  ["42501", "other"],
  ["42P01", "other"],
  ["54001", "other"],
  ["P0001", "other"],
  ["XX000", "other"],
  ["XX001", "other"],
])("SQLSTATE %s is %s", (state, kind) => {
  expect(failureOf(ofPostgres(state))).toEqual({ kind });
});

test("a transaction that writes and cannot begin on a standby finds a read-only database", () => {
  expect(failureOf(ofPostgres("0A000", { routine: "call_bool_check_hook" })).kind).toBe("readOnly");
});

describe("a code of Prisma", () => {
  test("has its meaning with and without an error of the driver", () => {
    for (const [code, kind] of Object.entries(PRISMA_CODES)) {
      for (const meta of [undefined, {}, { driverAdapterError: undefined }, { driverAdapterError: "text" }])
        expect([code, failureOf(known(code, meta)).kind]).toEqual([code, kind]);
    }
  });
  test.each<[string, FailureKind]>([
    ["P1001", "unreachable"],
    ["P1017", "unreachable"],
    ["P2002", "uniqueViolation"],
    ["P2003", "missingReference"],
    ["P2024", "busy"],
    ["P2025", "rowMissing"],
    ["P2028", "timeout"],
    ["P2034", "conflict"],
    ["P2037", "busy"],
    ["P2999", "other"],
  ])("%s is %s", (code, kind) => {
    expect(failureOf(known(code)).kind).toBe(kind);
  });
  test("P2028 means busy if the transaction could not begin", () => {
    const message = "Transaction API error: Unable to start a transaction in the given time.";
    expect(failureOf(known("P2028", undefined, message)).kind).toBe("busy");
  });
  test("is recognized in an initialization error", () => {
    const error = new Prisma.PrismaClientInitializationError("no server", "7", "P1001");
    expect(failureOf(error).kind).toBe("unreachable");
    expect(failureOf(new Prisma.PrismaClientInitializationError("what", "7")).kind).toBe("other");
    expect(failureOf(new Prisma.PrismaClientUnknownRequestError("what", { clientVersion: "7" })).kind).toBe(
      "other",
    );
  });
});

test("every error kind of the driver adapter has its meaning", () => {
  for (const [kind, meaning] of Object.entries(ADAPTER_KINDS))
    expect([kind, failureOf(new DriverAdapterError({ kind } as never)).kind]).toEqual([kind, meaning]);
});

test("the error codes of a lost connection mean that the database is unreachable", () => {
  for (const code of NETWORK_CODES)
    expect([code, failureOf(Object.assign(new Error("x"), { code, syscall: "connect" })).kind]).toEqual([
      code,
      "unreachable",
    ]);
  expect(failureOf(Object.assign(new Error("x"), { code: "CERT_HAS_EXPIRED" })).kind).toBe("unreachable");
  expect(failureOf(Object.assign(new Error("x"), { code: "ENOENT", syscall: "connect" })).kind).toBe(
    "unreachable",
  );
  expect(failureOf(Object.assign(new Error("x"), { code: "ENOENT", syscall: "open" })).kind).toBe("other");
});

test("a message of pg without a code has its meaning", () => {
  for (const [message, kind] of MESSAGES)
    expect([message, failureOf(new Error(`${message} for some reason`)).kind]).toEqual([message, kind]);
  // An error of another library may have the same message.
  expect(failureOf(Object.assign(new Error("Query read timeout"), { code: "ERR_OTHER" })).kind).toBe("other");
});

test.each<[string, unknown, string | null]>([
  ["PostgreSQL", ofPostgres("23505", { constraint: "tag_key" }), "tag_key"],
  [
    "the driver",
    known("P2002", {
      driverAdapterError: new DriverAdapterError({
        kind: "UniqueConstraintViolation",
        constraint: { index: "tag_key" },
      }),
    }),
    "tag_key",
  ],
  [
    "the driver, by its columns",
    known("P2002", {
      driverAdapterError: new DriverAdapterError({
        kind: "UniqueConstraintViolation",
        constraint: { fields: ["a", "b"] },
      }),
    }),
    "a, b",
  ],
  ["Prisma", known("P2002", { target: ["name_key"] }), "name_key"],
  ["nobody", known("P2002"), null],
])("a violated unique constraint is recognized as %s reports it", (_who, error, constraint) => {
  expect(failureOf(error)).toEqual({ kind: "uniqueViolation", constraint });
});

test("classifying a thrown value never throws", () => {
  const cyclic: Record<string, unknown> = {};
  cyclic["cause"] = cyclic;
  cyclic["errors"] = [cyclic];
  const throwing = new Proxy(
    {},
    {
      get() {
        throw new Error("no");
      },
      getPrototypeOf() {
        throw new Error("no");
      },
      ownKeys() {
        throw new Error("no");
      },
    },
  );
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const endless: object = new Proxy({}, { get: () => endless });
  const fresh = (): object => new Proxy({}, { get: () => fresh() });
  const getter = Object.defineProperty(new Error("x"), "code", {
    get() {
      throw new Error("no");
    },
  });
  const strange = [
    ...[null, undefined, "40001", "", 0, Number.NaN, 1n, true, Symbol("x"), () => {}, [], {}, new Map()],
    ...[cyclic, throwing, revoked.proxy, endless, fresh(), getter, Object.create(null)],
    { code: 40001 },
    { code: "__proto__" },
    { kind: "constructor" },
    { meta: throwing, cause: throwing, errors: throwing },
    known("P2025", { driverAdapterError: null }),
    new AggregateError([null, undefined, throwing], "several"),
  ];
  for (const error of strange) {
    expect(["other", "rowMissing"]).toContain(failureOf(error).kind);
    expect(unavailabilityOf(error)).toBeNull();
  }
  expect(
    failureOf(new Error("outer", { cause: { cause: ofPostgres("57P01"), errors: throwing } })).kind,
  ).toBe("unreachable");
});

test("any object that resembles an error gets one of the kinds", () => {
  const part = fc.oneof(
    fc.constantFrom(...Object.keys(PRISMA_CODES), ...Object.keys(SQLSTATES), ...Object.keys(ADAPTER_KINDS)),
    fc.constantFrom(...NETWORK_CODES, ...MESSAGES.map(([beginning]) => beginning), "toString", "P2", "P9999"),
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
    }),
  );
  const { error } = fc.letrec((tie) => ({
    error: fc.record(
      {
        code: part,
        originalCode: part,
        errorCode: part,
        kind: part,
        message: part,
        syscall: part,
        constraint: fc.oneof(part, fc.record({ index: part, fields: part })),
        cause: fc.oneof({ maxDepth: 2, depthIdentifier: "causes" }, part, tie("error")),
        originalError: fc.oneof({ maxDepth: 2, depthIdentifier: "causes" }, part, tie("error")),
        errors: fc.oneof(
          { maxDepth: 2, depthIdentifier: "causes" },
          part,
          fc.array(tie("error"), { maxLength: 2 }),
        ),
        meta: fc.record({
          driverAdapterError: fc.oneof({ maxDepth: 2, depthIdentifier: "causes" }, part, tie("error")),
          target: part,
        }),
      },
      { requiredKeys: [] },
    ),
  }));
  const kinds: ReadonlySet<string> = new Set([
    ...Object.values({ ...SQLSTATE_CLASSES, ...SQLSTATES, ...PRISMA_CODES, ...ADAPTER_KINDS }),
    "other",
  ]);
  fc.assert(
    fc.property(error, (thrown) => {
      const failure = failureOf(thrown);
      expect(kinds).toContain(failure.kind);
      if (failure.kind === "uniqueViolation")
        expect(["string", "object"]).toContain(typeof failure.constraint);
      expect(() => unavailabilityOf(thrown)).not.toThrow();
    }),
    { numRuns: 100 },
  );
});

test("a collision of two writers is distinguished from a fault", () => {
  for (const code of ["P2002", "P2003", "P2025", "P2034"]) expect(isWriteConflict(known(code))).toBe(true);
  for (const state of ["23505", "23503", "40001", "40P01"])
    expect(isWriteConflict(ofPostgres(state))).toBe(true);
  for (const state of ["57P01", "53100", "22003"]) expect(isWriteConflict(ofPostgres(state))).toBe(false);
});
