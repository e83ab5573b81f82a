import { parse } from "pg-connection-string";

/** The parts of a PostgreSQL address. */
export interface DatabaseAddress {
  /** How to reach the server. */
  readonly connection: {
    readonly host?: string;
    readonly port?: number;
    readonly user?: string;
    readonly password?: string;
    readonly database?: string;
    readonly ssl?: boolean | object;
    readonly sslnegotiation?: "postgres" | "direct";
    /** Hosts and poolers use these to route a connection. Session settings in them are overridden after connecting. */
    readonly options?: string;
  };
  /** The one schema that everything uses. */
  readonly schema: string;
}

/** Bytes; PostgreSQL truncates longer names. */
const MAX_NAME_BYTES = 63;
const DEFAULT_SCHEMA = "public";
/** In a search path, PostgreSQL reads this name as the role's name, even if it is quoted. */
const NAME_OF_ROLE = "$user";

function readSchema(name: unknown): string | null {
  if (name === undefined || name === "") return DEFAULT_SCHEMA;
  // Prisma does not escape quotation marks.
  if (typeof name !== "string" || /[\0"]/.test(name) || name === NAME_OF_ROLE) return null;
  return Buffer.byteLength(name) > MAX_NAME_BYTES ? null : name;
}

/**
 * Replaces the modes that the parser treats as verify-full. The parser warns on several lines that a later version will
 * treat them as weaker; with the explicit mode every version checks the certificate.
 */
const verified = (text: string): string =>
  /[?&]uselibpqcompat=true(&|$)/.test(text)
    ? text
    : text.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/g, "$1verify-full");

/**
 * Reads an address with the parser of `pg`. Parameters for other programs (Prisma's `connection_limit`,
 * `pgbouncer`, `connect_timeout`) are dropped.
 * @returns null for an address that `pg` does not accept or that names an impossible schema.
 */
export function readDatabaseAddress(text: string): DatabaseAddress | null {
  // The parser would accept any text as the name of a database.
  if (!/^(postgres(ql)?:\/\/|socket:|\/)/i.test(text)) return null;
  try {
    const parsed = parse(verified(text));
    const schema = readSchema(parsed["schema"]);
    const port = parsed.port ? Number(parsed.port) : undefined;
    if (schema === null || (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))) {
      return null;
    }
    const { host, user, password, database, sslnegotiation, options } = parsed;
    const ssl = typeof parsed.ssl === "string" ? parsed.ssl === "true" : parsed.ssl;
    return {
      schema,
      connection: {
        ...(host && { host }),
        ...(port !== undefined && { port }),
        ...(user && { user }),
        ...(password && { password }),
        ...(database && { database }),
        ...(parsed.ssl === "no-verify"
          ? { ssl: { rejectUnauthorized: false } }
          : ssl !== undefined && { ssl }),
        ...(sslnegotiation && { sslnegotiation }),
        ...(options && { options }),
      },
    };
  } catch {
    return null;
  }
}
