// Databases with an owner other than the superuser, for tests of permissions, limits and settings of a role.

import pg from "pg";
import { type PreparedDatabase, prepareTestDatabase } from "./databases.js";

/** A database of one test that belongs to a role of its own. */
export interface OwnedDatabase {
  /** The address of the database, with the role as user. */
  readonly url: string;
  /** The role's name, which needs no quotes in SQL. */
  readonly role: string;
  /** The database's name. */
  readonly name: string;
  /** Runs statements as the superuser in this database. @returns the last result. */
  asSuperuser(...statements: string[]): Promise<pg.QueryResult>;
  /** A changed copy of `url`. */
  with(change: (url: URL) => void): string;
  /** Deletes the database and the role. */
  remove(): Promise<void>;
}

/** Session settings for the superuser, which override the defaults that a test gives the database. */
const USUAL_SETTINGS =
  "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 -c search_path=public";

/**
 * Creates a database on the PostgreSQL server and a role that owns it.
 * @param attributes of the role, such as `connection limit 8`.
 * @param migrated false for an empty database.
 */
export async function ownedDatabase(attributes = "", migrated = false): Promise<OwnedDatabase> {
  const prepared: PreparedDatabase = await prepareTestDatabase("server", migrated);
  const superuser = prepared.url as string;
  const name = new URL(superuser).pathname.slice(1);
  const role = `role_${name}`;
  const asSuperuser = async (...statements: string[]) => {
    const client = new pg.Client({ connectionString: superuser, options: USUAL_SETTINGS });
    await client.connect();
    try {
      let result = await client.query("select 1");
      for (const statement of statements) result = await client.query(statement);
      return result;
    } finally {
      await client.end();
    }
  };
  await asSuperuser(`create role ${role} login ${attributes}`, `alter database ${name} owner to ${role}`);
  const changed = (change: (url: URL) => void) => {
    const url = new URL(superuser);
    url.username = role;
    change(url);
    return url.href;
  };
  return {
    url: changed(() => {}),
    role,
    name,
    asSuperuser,
    with: changed,
    async remove() {
      const client = new pg.Client(superuser.replace(/[^/]*$/, "postgres"));
      await client.connect();
      try {
        await client.query(`drop database if exists ${name} with (force)`);
        await client.query(`drop role if exists ${role}`);
      } finally {
        await client.end();
      }
    },
  };
}
