import pg from "pg";
import { raw } from "sql-template-tag";
import { refuse } from "./refusals.js";
import { statement } from "./statement.js";

interface Rights {
  readonly schemaExists: boolean;
  readonly mayMakeSchema: boolean;
  readonly mayMakeTables: boolean;
  readonly ownsTables: boolean;
}

/**
 * Creates a missing schema and checks the rights that migrations need.
 * @throws DatabaseUnusableError if the role lacks a right.
 */
export async function prepareSchema(pool: pg.Pool, schema: string): Promise<void> {
  const { text, values } = statement("schema_rights")`
    select n.oid is not null as "schemaExists",
       has_database_privilege(current_database(), 'CREATE') as "mayMakeSchema",
       coalesce(has_schema_privilege(n.oid, 'CREATE') and has_schema_privilege(n.oid, 'USAGE'), false) as "mayMakeTables",
       not exists (
         select from pg_class c join pg_class books on books.relname = '_prisma_migrations'
         where c.relnamespace = n.oid and books.relnamespace = n.oid and c.relkind = 'r'
           and not pg_has_role(c.relowner, 'USAGE')
       ) as "ownsTables"
     from (select ${schema}::text as name) wanted left join pg_namespace n on n.nspname = wanted.name`;
  const { rows } = await pool.query<Rights>(text, values);
  const [rights] = rows;
  const named = JSON.stringify(schema);
  if (rights?.schemaExists === false) {
    if (!rights.mayMakeSchema)
      throw refuse(
        "DATABASE_URL",
        `the schema ${named} does not exist and the role may not create it. Create the schema, or grant the role CREATE on the database`,
      );
    try {
      // Replicas that start together may all try to create the schema.
      await pool.query(
        statement("schema_create")`create schema if not exists ${raw(pg.escapeIdentifier(schema))}`.text,
      );
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "23505" || code === "42P06") return;
      throw refuse("DATABASE_URL", `PostgreSQL does not accept ${named} as the name of a schema (${code})`);
    }
  } else if (rights?.mayMakeTables === false) {
    throw refuse(
      "DATABASE_URL",
      `the role may not create tables in the schema ${named}. Grant the role CREATE on the schema, or apply the migrations as another role`,
    );
  } else if (rights?.ownsTables === false) {
    throw refuse(
      "DATABASE_URL",
      `migrations are pending, and tables in the schema ${named} belong to another role. Apply the migrations as that role (invite-links migrate)`,
    );
  }
}
