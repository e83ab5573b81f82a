/** The database is there and cannot be used as it is; the message is one line, without the address or a secret. */
export class DatabaseUnusableError extends Error {
  override readonly name = "DatabaseUnusableError";
}

/** No PostgreSQL answers at the address, whose text is not told. */
export class DatabaseUnreachableError extends Error {
  override readonly name = "DatabaseUnreachableError";

  constructor(cause: unknown, variable = "DATABASE_URL") {
    const { code, message } = cause as { code?: string; message?: string };
    super(
      `${variable}: found an address at which no database answers (${code ?? message}), not one that can be used`,
    );
  }
}

/** What PostgreSQL, or a pooler in front of it, says to a connection, by its code. */
const BY_CODE: Readonly<Record<string, string>> = {
  "28P01": "found a password that the database does not accept, not the role's password",
  "3D000": "found a database's name that the server does not know, not the name of a database that exists",
  "42501": "found a role that may not connect to the database, not one that has the right CONNECT",
  "53300":
    "found a database that has no connection left (the limit of the server, the database or the role is reached), not one that has a free one",
  "55000": "found a database that allows no connections, not one that does",
  "57P03": "found a database that is starting or shutting down, not one that takes connections",
};

const NO_HBA_ENTRY =
  "found a server that lets nobody in from here as this role (no entry of pg_hba.conf admits it; it may ask for sslmode=verify-full), not one that admits this server";
const NO_LOGIN = "found a role that does not exist or may not log in, not one that may";
const NO_PASSWORD =
  "found no password, though the database asks for one; not an address with the role's password";
const NO_SSL = "found a server without TLS, though the address asks for it; not one that speaks TLS";

/** OpenSSL's and Node.js' codes. */
const CERTIFICATE = /CERT|SIGNATURE|SELF_SIGNED|ISSUER|ALTNAME/;

/** What poolers say, which have one code for everything. */
const BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [/no such database/i, BY_CODE["3D000"] as string],
  [/no such user|auth failed|authentication failed/i, NO_LOGIN],
  [
    /unsupported startup parameter/i,
    "found a pooler that refuses the address' options, not one that takes them; leave the options out of the address, since the server sets what it needs",
  ],
  [/no more connections allowed|too many connections|query_wait_timeout/i, BY_CODE["53300"] as string],
  [/client password must be a(?: non-empty)? string/i, NO_PASSWORD],
  [/does not support SSL/i, NO_SSL],
];

/**
 * Says in one line why no session can be had.
 * @param variable whose address it was.
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
      ? `found a server whose certificate is not trusted (${code}), not one with a certificate that this machine trusts`
      : undefined);
  return reason === undefined
    ? new DatabaseUnreachableError(error, variable)
    : new DatabaseUnusableError(`${variable}: ${reason}`);
}
