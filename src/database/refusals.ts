/** The database answers but cannot be used as it is. The message is one line, without the address or a secret. */
export class DatabaseUnusableError extends Error {
  override readonly name = "DatabaseUnusableError";
}

/** @param variable the environment variable that holds the address. */
export const refuse = (variable: string, reason: string): DatabaseUnusableError =>
  new DatabaseUnusableError(`${variable}: ${reason}`);

/** No PostgreSQL answers. The message does not contain the address, which may hold a password. */
export class DatabaseUnreachableError extends Error {
  override readonly name = "DatabaseUnreachableError";

  constructor(cause: unknown, variable = "DATABASE_URL") {
    const { code, message } = cause as { code?: string; message?: string };
    super(`${variable}: no database answers at the address (${code ?? message})`);
  }
}

/** Reasons by the SQLSTATE with which PostgreSQL, or a pooler in front of it, refuses a connection. */
const BY_CODE: Readonly<Record<string, string>> = {
  "28P01": "the database does not accept the password",
  "3D000": "the server does not know a database of this name",
  "42501": "the role may not connect to the database. Grant the role CONNECT",
  "53300": "there is no connection left: the limit of the server, the database or the role is reached",
  "55000": "the database allows no connections",
  "57P03": "the database is starting or shutting down",
};

const NO_HBA_ENTRY =
  "no entry of the server's pg_hba.conf admits this role from this machine. The entry may require sslmode=verify-full";
const NO_LOGIN = "the role does not exist or may not log in";
const NO_PASSWORD = "the database asks for a password, and the address contains none";
const NO_SSL = "the address asks for TLS, and the server does not support it";

/** OpenSSL's and Node.js' codes. */
const CERTIFICATE = /CERT|SIGNATURE|SELF_SIGNED|ISSUER|ALTNAME/;

/** Reasons by the message: poolers use one code for all refusals. */
const BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [/no such database/i, BY_CODE["3D000"] as string],
  [/no such user|auth failed|authentication failed/i, NO_LOGIN],
  [
    /unsupported startup parameter/i,
    "the pooler refuses the options in the address. Leave the options out of the address: the server sets what it needs",
  ],
  [/no more connections allowed|too many connections|query_wait_timeout/i, BY_CODE["53300"] as string],
  [/client password must be a(?: non-empty)? string/i, NO_PASSWORD],
  [/does not support SSL/i, NO_SSL],
];

/**
 * Explains in one line why no session can be opened.
 * @param variable the environment variable that holds the address.
 */
export function connectionRefusal(
  error: unknown,
  variable: string,
): DatabaseUnusableError | DatabaseUnreachableError {
  const { code, message, routine } = error as { code?: string; message: string; routine?: string };
  const reason =
    (code === undefined ? undefined : BY_CODE[code]) ??
    (code === "28000" ? (routine === "ClientAuthentication" ? NO_HBA_ENTRY : NO_LOGIN) : undefined) ??
    BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1] ??
    (code !== undefined && CERTIFICATE.test(code)
      ? `the server's certificate is not trusted by this machine (${code})`
      : undefined);
  return reason === undefined ? new DatabaseUnreachableError(error, variable) : refuse(variable, reason);
}
