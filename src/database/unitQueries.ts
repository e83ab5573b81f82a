import { PrismaPg } from "@prisma/adapter-pg";
import type { SqlQuery, SqlResultSet, Transaction } from "@prisma/driver-adapter-utils";
import type pg from "pg";
import type { Prisma } from "./generated/prisma/client.js";
import type { NamedStatement } from "./statement.js";

interface UnitQuery {
  readonly statement: NamedStatement;
  result?: { readonly rows: unknown[] } | { readonly error: unknown };
}

const NO_ROWS: SqlResultSet = { columnNames: [], columnTypes: [], rows: [] };

/**
 * Runs hand-written statements in a transaction of Prisma, and decodes their rows as Database.query does. Prisma would
 * decode them in its own way: bigint as BigInt, numeric as Decimal without its scale, timestamptz as Date. Each statement
 * still goes through Prisma, which refuses statements after the transaction's end. Prisma gets a key instead of the values;
 * its adapter finds the statement by the key, runs it on the transaction's session and keeps the rows for `run`.
 */
export class UnitQueries {
  readonly #queries = new Map<string, UnitQuery>();
  readonly #prefix = crypto.randomUUID();
  #count = 0;

  /** Runs a statement in a transaction. @throws as Database.query */
  async run(client: Prisma.TransactionClient, statement: NamedStatement): Promise<unknown[]> {
    this.#count += 1;
    const key = `${this.#prefix} ${this.#count}`;
    const query: UnitQuery = { statement };
    this.#queries.set(key, query);
    try {
      await client.$queryRawUnsafe(statement.text, key);
    } catch (error) {
      // Prisma's error would hide the code of PostgreSQL's.
      throw query.result && "error" in query.result ? query.result.error : error;
    } finally {
      this.#queries.delete(key);
    }
    if (!query.result || "error" in query.result) throw new Error("Prisma did not run a unit's statement.");
    return query.result.rows;
  }

  /** Prisma's adapter for a pool, in whose transactions `run` works. */
  adapterFor(pool: pg.Pool, schema: string): PrismaPg {
    return new UnitAdapter(this, pool, { schema, disposeExternalPool: false });
  }

  /** Answers the statements of `run` in a transaction, and leaves all others to Prisma. */
  intercept(transaction: Transaction): Transaction {
    const { client: session } = transaction as unknown as { readonly client: pg.PoolClient };
    const runByPrisma = transaction.queryRaw.bind(transaction);
    transaction.queryRaw = (sqlQuery: SqlQuery) => {
      const [key] = sqlQuery.args;
      const query = typeof key === "string" ? this.#queries.get(key) : undefined;
      return query === undefined ? runByPrisma(sqlQuery) : runOn(session, query);
    };
    return transaction;
  }
}

async function runOn(session: pg.PoolClient, query: UnitQuery): Promise<SqlResultSet> {
  const { text, values } = query.statement;
  try {
    const { rows } = await session.query({ text, values });
    query.result = { rows };
    return NO_ROWS;
  } catch (error) {
    query.result = { error };
    throw error;
  }
}

class UnitAdapter extends PrismaPg {
  readonly #queries: UnitQueries;

  constructor(queries: UnitQueries, ...args: ConstructorParameters<typeof PrismaPg>) {
    super(...args);
    this.#queries = queries;
  }

  override async connect(): ReturnType<PrismaPg["connect"]> {
    const adapter = await super.connect();
    const start = adapter.startTransaction.bind(adapter);
    adapter.startTransaction = async (level) => this.#queries.intercept(await start(level));
    return adapter;
  }
}
