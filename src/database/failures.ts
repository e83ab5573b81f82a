/** The meaning of an error for the state of the database or for a write. */
export type DatabaseFailure =
  /** A value that must be unique exists already. `constraint`: its name or columns; null if the error has neither. */
  | { readonly kind: "uniqueViolation"; readonly constraint: string | null }
  /** A referenced row does not exist, or a row to be deleted is still referenced. */
  | { readonly kind: "missingReference" }
  /** The row to be changed does not exist. */
  | { readonly kind: "rowMissing" }
  /** Another transaction got in the way. The work may succeed when it is repeated. */
  | { readonly kind: "conflict" }
  /** No connection, or the server refuses every session: stopped, starting, a wrong password. */
  | { readonly kind: "unreachable" }
  /** The server answers but has no free session, lock or memory. */
  | { readonly kind: "busy" }
  /** A statement or transaction exceeded its time limit. */
  | { readonly kind: "timeout" }
  /** The server's disk is full. */
  | { readonly kind: "diskFull" }
  /** The server is a standby or is set to be read-only. */
  | { readonly kind: "readOnly" }
  /** Does not pass by itself: a fault of this program or damaged data. */
  | { readonly kind: "other" };

export type FailureKind = DatabaseFailure["kind"];

/**
 * The meaning of each class of SQLSTATE, its first two characters. A class that is not listed is "other".
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export const SQLSTATE_CLASSES: Readonly<Record<string, FailureKind>> = {
  "00": "other", // successful completion
  "01": "other", // warning
  "02": "other", // no data
  "03": "other", // SQL statement not yet complete
  "08": "unreachable", // connection exception
  "09": "other", // triggered action exception
  "0A": "other", // feature not supported
  "0B": "other", // invalid transaction initiation
  "0F": "other", // locator exception
  "0L": "other", // invalid grantor
  "0P": "other", // invalid role specification
  "0Z": "other", // diagnostics exception
  "10": "other", // XQuery error
  "20": "other", // case not found
  "21": "other", // cardinality violation
  "22": "other", // data exception
  "23": "other", // integrity constraint violation
  "24": "other", // invalid cursor state
  "25": "other", // invalid transaction state
  "26": "other", // invalid SQL statement name
  "27": "other", // triggered data change violation
  "28": "unreachable", // invalid authorization specification
  "2B": "other", // dependent privilege descriptors still exist
  "2D": "other", // invalid transaction termination
  "2F": "other", // SQL routine exception
  "34": "other", // invalid cursor name
  "38": "other", // external routine exception
  "39": "other", // external routine invocation exception
  "3B": "other", // savepoint exception
  "3D": "unreachable", // invalid catalog name: there is no such database
  "3F": "other", // invalid schema name
  "40": "conflict", // transaction rollback
  "42": "other", // syntax error or access rule violation
  "44": "other", // WITH CHECK OPTION violation
  "53": "busy", // insufficient resources: memory, sessions, a configured limit
  "54": "other", // program limit exceeded
  "55": "busy", // object not in prerequisite state: in use, or its lock is not to be had
  "57": "unreachable", // operator intervention
  "58": "unreachable", // system error, outside of PostgreSQL
  "72": "other", // snapshot failure
  F0: "other", // configuration file error
  HV: "other", // foreign data wrapper error
  P0: "other", // PL/pgSQL error
  XX: "other", // internal error, damaged data
};

/** The SQLSTATEs whose meaning differs from that of their class. */
export const SQLSTATES: Readonly<Record<string, FailureKind>> = {
  "23001": "missingReference", // restrict violation
  "23503": "missingReference", // foreign key violation
  "23505": "uniqueViolation",
  "25006": "readOnly", // read-only SQL transaction
  "25P03": "timeout", // idle in transaction session timeout
  "25P04": "timeout", // transaction timeout
  "40002": "other", // transaction integrity constraint violation
  "53100": "diskFull", // disk full
  "55000": "other", // object not in prerequisite state
  "55P02": "other", // cannot change runtime parameter
  "55P04": "other", // unsafe new enum value usage
  "57014": "timeout", // query canceled
  "72000": "conflict", // snapshot too old
};

/**
 * The meaning of Prisma's codes, https://www.prisma.io/docs/orm/reference/error-reference. A code that is not listed is
 * "other". An SQLSTATE in the error takes precedence over Prisma's code.
 */
export const PRISMA_CODES: Readonly<Record<string, FailureKind>> = {
  P1000: "unreachable", // authentication failed
  P1001: "unreachable", // can't reach the server
  P1002: "unreachable", // reached, but timed out
  P1003: "unreachable", // no such database
  P1008: "unreachable", // socket timeout
  P1009: "other", // database exists already
  P1010: "unreachable", // access denied
  P1011: "unreachable", // TLS
  P1012: "other", // schema validation
  P1013: "other", // invalid address
  P1014: "other", // model's table missing
  P1015: "other", // server's version not supported
  P1016: "other", // wrong number of parameters
  P1017: "unreachable", // connection closed
  P1018: "timeout", // transaction closed already
  P2000: "other", // value too long
  P2001: "rowMissing", // record of the condition missing
  P2002: "uniqueViolation",
  P2003: "missingReference",
  P2004: "other", // constraint failed
  P2005: "other", // stored value invalid
  P2006: "other", // value invalid
  P2007: "other", // data validation
  P2008: "other", // query parsing
  P2009: "other", // query validation
  P2010: "other", // raw query failed: see its SQLSTATE
  P2011: "other", // null constraint
  P2012: "other", // missing value
  P2013: "other", // missing argument
  P2014: "missingReference", // required relation violated
  P2015: "rowMissing", // related record missing
  P2016: "other", // query interpretation
  P2017: "rowMissing", // records of a relation not connected
  P2018: "rowMissing", // required connected records missing
  P2019: "other", // input error
  P2020: "other", // value out of range
  P2021: "other", // table missing
  P2022: "other", // column missing
  P2023: "other", // inconsistent column data
  P2024: "busy", // no session of the pool in time
  P2025: "rowMissing", // a required record was not found
  P2026: "other", // feature not supported
  P2027: "other", // several errors
  P2028: "timeout", // transaction API: expired; see START_OF_TRANSACTION
  P2029: "other", // query parameter limit
  P2030: "other", // fulltext index
  P2031: "other", // MongoDB
  P2033: "other", // number too large
  P2034: "conflict", // write conflict or deadlock
  P2035: "other", // assertion violated
  P2036: "other", // error of the driver adapter
  P2037: "busy", // too many connections
  P2038: "other",
  P2039: "other", // any other error of the database: see its SQLSTATE
};

/** The error kinds of @prisma/driver-adapter-utils. Prisma passes on errors for which it has no code unchanged. */
export const ADAPTER_KINDS: Readonly<Record<string, FailureKind>> = {
  UniqueConstraintViolation: "uniqueViolation",
  ForeignKeyConstraintViolation: "missingReference",
  RestrictViolation: "missingReference",
  TransactionWriteConflict: "conflict",
  TransactionAlreadyClosed: "timeout",
  DatabaseNotReachable: "unreachable",
  DatabaseDoesNotExist: "unreachable",
  DatabaseAccessDenied: "unreachable",
  AuthenticationFailed: "unreachable",
  TlsConnectionError: "unreachable",
  ConnectionClosed: "unreachable",
  SocketTimeout: "unreachable",
  TooManyConnections: "busy",
};

/** Node.js' error codes for connections. */
export const NETWORK_CODES: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EAI_AGAIN",
  "EAI_FAIL",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETRESET",
  "ENETUNREACH",
  "ENOTCONN",
  "ENOTFOUND",
  "EPIPE",
  "EPROTO",
  "ETIMEDOUT",
  "ERR_SOCKET_CLOSED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
]);
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;

/** The beginnings of messages of `pg`, pg-pool and PGlite in errors without a code. */
export const MESSAGES: readonly (readonly [beginning: string, kind: FailureKind])[] = [
  ["Connection terminated", "unreachable"],
  ["Client has encountered a connection error and is not queryable", "unreachable"],
  ["Client was closed and is not queryable", "unreachable"],
  ["Cannot use a pool after calling end on the pool", "unreachable"],
  ["The server does not support SSL connections", "unreachable"],
  ["There was an error establishing an SSL connection", "unreachable"],
  ["PGlite is closed", "unreachable"],
  ["PGlite is closing", "unreachable"],
  ["timeout exceeded when trying to connect", "busy"],
  ["timeout expired", "unreachable"],
  ["Query read timeout", "timeout"],
  // Messages of this project.
  ["The server is a standby", "unreachable"],
  ["The database took a connection and did not answer on it", "unreachable"],
  ["There is no session", "busy"],
];

/** Prisma's message of P2028 when it got no session in time. */
const START_OF_TRANSACTION = "Unable to start a transaction in the given time";

/** Bounds for errors with many or cyclic causes. */
const MAX_CAUSES = 50;
const MAX_ERRORS = 20;

/** Reads a property of any value. A getter or proxy that throws counts as undefined. */
function read(value: unknown, key: string | number): unknown {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  try {
    return (value as Record<string | number, unknown>)[key];
  } catch {
    return undefined;
  }
}

const textOf = (value: unknown, key: string): string | null => {
  const text = read(value, key);
  return typeof text === "string" ? text : null;
};

/** Looks a name up in a table. Names from Object.prototype do not count. */
const meaningIn = (
  table: Readonly<Record<string, FailureKind>>,
  name: string | null,
): FailureKind | undefined => (name !== null && Object.hasOwn(table, name) ? table[name] : undefined);

const kindOfState = (state: string): FailureKind =>
  meaningIn(SQLSTATES, state) ?? meaningIn(SQLSTATE_CLASSES, state.slice(0, 2)) ?? "other";

function kindOfCode(code: string, message: string): FailureKind {
  if (NETWORK_CODES.has(code) || TLS_CODE.test(code)) return "unreachable";
  if (/^P[1-6]\d{3}$/.test(code)) {
    if (code === "P2028" && message.includes(START_OF_TRANSACTION)) return "busy";
    return meaningIn(PRISMA_CODES, code) ?? "other";
  }
  return /^[0-9A-Z]{5}$/.test(code) ? kindOfState(code) : "other";
}

/**
 * Whether a prepared statement can no longer run, because a migration added or changed a column that it returns. The
 * message depends on the server's language, the name of PostgreSQL's function does not.
 */
export const isOutdatedStatement = (error: unknown): boolean =>
  textOf(error, "code") === "0A000" && textOf(error, "routine") === "RevalidateCachedQuery";

/**
 * Whether a transaction that writes could not begin, because the server is a standby. The function checks settings, and this
 * program changes no other one that can fail with this code.
 */
const isBeginOnStandby = (error: unknown): boolean =>
  textOf(error, "code") === "0A000" && textOf(error, "routine") === "call_bool_check_hook";

/** The meaning of one of an error's causes, without the others. */
function kindOf(value: unknown): FailureKind {
  const message = textOf(value, "message") ?? "";
  const codes = ["originalCode", "code", "errorCode"].map((key) => textOf(value, key));
  for (const code of codes) {
    const kind = code === null ? "other" : kindOfCode(code, message);
    if (kind !== "other") return kind;
  }
  // A migration, which is another transaction, changed what the statement returns.
  if (isOutdatedStatement(value)) return "conflict";
  if (isBeginOnStandby(value)) return "readOnly";
  // The path of a Unix socket. For any other file these codes say nothing about the database.
  if (codes.some((code) => code === "ENOENT" || code === "EACCES") && textOf(value, "syscall") === "connect")
    return "unreachable";
  const adapterKind = meaningIn(ADAPTER_KINDS, textOf(value, "kind"));
  if (adapterKind) return adapterKind;
  // An error with an unknown code comes from another source, even if its message looks familiar.
  if (codes.some((code) => code !== null)) return "other";
  return MESSAGES.find(([beginning]) => message.startsWith(beginning))?.[1] ?? "other";
}

/** The error and all its nested causes, the error first. */
function causesOf(error: unknown): unknown[] {
  const found = new Set<unknown>([error]);
  for (const value of found) {
    if (found.size >= MAX_CAUSES) break;
    const errors = read(value, "errors");
    const several = Array.from({ length: MAX_ERRORS }, (_, index) => read(errors, index));
    const driver = read(read(value, "meta"), "driverAdapterError");
    for (const cause of [driver, read(value, "cause"), read(value, "originalError"), ...several]) {
      if (typeof cause === "object" && cause !== null) found.add(cause);
    }
  }
  return [...found];
}

/** The name or columns of the violated unique constraint; null if no cause has them. */
function constraintOf(causes: readonly unknown[]): string | null {
  for (const cause of causes) {
    const constraint = read(cause, "constraint");
    if (typeof constraint === "string") return constraint;
    const index = textOf(constraint, "index");
    if (index !== null) return index;
    for (const columns of [read(constraint, "fields"), read(read(cause, "meta"), "target")]) {
      const names = Array.from({ length: MAX_ERRORS }, (_, at) => read(columns, at)).filter(
        (name) => typeof name === "string",
      );
      if (typeof columns === "string") return columns;
      if (names.length > 0) return names.join(", ");
    }
  }
  return null;
}

/**
 * Interprets any thrown value. Never throws itself: a hostile or cyclic value, or a value that is no error, is "other".
 */
export function failureOf(error: unknown): DatabaseFailure {
  const causes = causesOf(error);
  // The outermost cause with a meaning counts. Prisma's P2010 and P2039 have none, but their causes do.
  const kind = causes.map(kindOf).find((found) => found !== "other") ?? "other";
  return kind === "uniqueViolation" ? { kind, constraint: constraintOf(causes) } : { kind };
}

const UNAVAILABLE = {
  unreachable: true,
  busy: true,
  timeout: true,
  diskFull: true,
  readOnly: true,
  conflict: true,
  uniqueViolation: false,
  missingReference: false,
  rowMissing: false,
  other: false,
} as const satisfies Record<FailureKind, boolean>;

/** The failures that can pass without a change to this program or its data. */
export type Unavailability = {
  [Kind in FailureKind]: (typeof UNAVAILABLE)[Kind] extends true ? Kind : never;
}[FailureKind];

/** Why the database cannot be used at the moment; null for any other error. */
export function unavailabilityOf(error: unknown): Unavailability | null {
  const { kind } = failureOf(error);
  return UNAVAILABLE[kind] ? (kind as Unavailability) : null;
}

/** Whether concurrent writers collided, so that the work may succeed when it is repeated from its beginning. */
export const isWriteConflict = (error: unknown): boolean =>
  ["uniqueViolation", "missingReference", "rowMissing", "conflict"].includes(failureOf(error).kind);
