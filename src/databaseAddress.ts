import { parse } from "pg-connection-string";

/** A PostgreSQL address, taken apart. */
export interface DatabaseAddress {
  /** How to reach the server: nothing else of the address reaches PostgreSQL but its `options`. */
  readonly connection: {
    readonly host?: string;
    readonly port?: number;
    readonly user?: string;
    readonly password?: string;
    readonly database?: string;
    readonly ssl?: boolean | object;
    readonly sslnegotiation?: "postgres" | "direct";
    /** Hosts and poolers route by it. Session settings in it are overridden after connecting. */
    readonly options?: string;
  };
  /** The one schema that everything uses. */
  readonly schema: string;
}

/** PostgreSQL cuts longer names off, in bytes. */
const LONGEST_NAME = 63;
const DEFAULT_SCHEMA = "public";
/** PostgreSQL reads this name in a search path as the role's name, however it is quoted. */
const NAME_OF_ROLE = "$user";

function readSchema(name: unknown): string | null {
  if (name === undefined || name === "") return DEFAULT_SCHEMA;
  // Prisma does not escape a quotation mark in it.
  if (typeof name !== "string" || /[\0"]/.test(name) || name === NAME_OF_ROLE) return null;
  return Buffer.byteLength(name) > LONGEST_NAME ? null : name;
}

/**
 * What the parser takes for verify-full, with a warning of several lines that another version will take it for less.
 * Named so, it is checked by every version alike.
 */
const verified = (text: string): string =>
  /[?&]uselibpqcompat=true(&|$)/.test(text)
    ? text
    : text.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/g, "$1verify-full");

/**
 * Reads an address as `pg` does, by its own parser. Parameters that are meant for others (Prisma's `connection_limit`,
 * `pgbouncer`, `connect_timeout`) are dropped.
 * @returns null where `pg` does not accept it, or it names a schema that cannot be.
 */
export function readDatabaseAddress(text: string): DatabaseAddress | null {
  // The parser takes any text for a database's name.
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
