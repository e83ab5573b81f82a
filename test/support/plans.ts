// Checks of query plans: which statements some work sends (statementsOf), how PostgreSQL runs one of them (planOf), and what
// the plan reads and sorts.

import pg from "pg";
import { vi } from "vitest";
import type { TestDatabase } from "./databases.js";

/** A hand-written SQL statement that was sent. */
export interface SentStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The hand-written statements that `work` sends, in order. */
export async function statementsOf(
  { sessions: { pool, quick, frequent } }: Pick<TestDatabase, "sessions">,
  work: () => Promise<unknown>,
): Promise<SentStatement[]> {
  const sent: SentStatement[] = [];
  // `quick` may be the pool itself, and `frequent` may pass a statement on to the pool: each statement counts once.
  const spies = [...new Set([pool, quick, frequent])].map((runner) => vi.spyOn(runner as pg.Pool, "query"));
  const counted = new Set<unknown>();
  try {
    await work();
    const calls = spies.flatMap(({ mock }) =>
      mock.calls.map((given, index) => ({ given, order: mock.invocationCallOrder[index] ?? 0 })),
    );
    for (const { given } of calls.sort((one, other) => one.order - other.order)) {
      const [statement] = given as unknown[];
      if (typeof statement !== "object" || statement === null || !("text" in statement)) continue;
      if (counted.has(statement)) continue;
      counted.add(statement);
      const { text, values = [] } = statement as Partial<SentStatement> & { text: string };
      sent.push({ text, values });
    }
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return sent;
}

/** One step of a plan that was executed. */
export interface PlanStep {
  /** PostgreSQL's name, such as "Index Only Scan". */
  readonly type: string;
  readonly table: string | null;
  readonly index: string | null;
  /** The rows that the step returned in all its loops. */
  readonly rows: number;
  /** The rows that the step read and filtered out in all its loops. */
  readonly filteredOut: number;
}

interface ExplainedStep {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Join Filter"?: number;
  readonly Plans?: readonly ExplainedStep[];
}

function stepsOf(step: ExplainedStep): PlanStep[] {
  const loops = step["Actual Loops"];
  const removed = (step["Rows Removed by Filter"] ?? 0) + (step["Rows Removed by Join Filter"] ?? 0);
  return [
    {
      type: step["Node Type"],
      table: step["Relation Name"] ?? null,
      index: step["Index Name"] ?? null,
      rows: step["Actual Rows"] * loops,
      filteredOut: removed * loops,
    },
    ...(step.Plans ?? []).flatMap(stepsOf),
  ];
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (value instanceof Date) return pg.escapeLiteral(value.toISOString());
  if (!Array.isArray(value)) return pg.escapeLiteral(String(value));
  const members = value.map((member) => (member === null ? "null" : JSON.stringify(String(member))));
  return pg.escapeLiteral(`{${members.join(",")}}`);
}

/** A custom plan is made for the given values, a generic plan for all values. PostgreSQL may use either for a named statement. */
export type PlanKind = "custom" | "generic";

/** Executes a statement. @returns the steps of its plan. */
export async function planOf(
  pool: pg.Pool,
  { text, values }: SentStatement,
  kind: PlanKind,
): Promise<PlanStep[]> {
  const session = await pool.connect();
  try {
    await session.query(`set plan_cache_mode = force_${kind}_plan`);
    await session.query(`prepare explained as ${text}`);
    const given = values.length > 0 ? `(${values.map(literal).join(", ")})` : "";
    const { rows } = await session.query<{ "QUERY PLAN": { Plan: ExplainedStep }[] }>(
      `explain (analyze, timing off, format json) execute explained${given}`,
    );
    const plan = rows[0]?.["QUERY PLAN"][0]?.Plan;
    if (!plan) throw new TypeError("EXPLAIN returned no plan.");
    return stepsOf(plan);
  } finally {
    await session.query("deallocate explained");
    await session.query("reset plan_cache_mode");
    session.release();
  }
}

/** Whether PostgreSQL keeps the plan of a prepared statement after some executions, instead of planning each anew. */
export async function isPlanKept(pool: pg.Pool, { text, values }: SentStatement): Promise<boolean> {
  const session = await pool.connect();
  try {
    await session.query(`prepare kept as ${text}`);
    const given = values.length > 0 ? `(${values.map(literal).join(", ")})` : "";
    for (let time = 0; time < 7; time += 1) await session.query(`execute kept${given}`);
    const { rows } = await session.query<{ kept: boolean }>(
      "select generic_plans > 0 as kept from pg_prepared_statements where name = 'kept'",
    );
    return rows[0]?.kept === true;
  } finally {
    await session.query("deallocate kept");
    session.release();
  }
}

const READS_TABLE = /Scan$/;

/** The number of rows that a plan reads of each table. */
export function rowsRead(plan: readonly PlanStep[]): Map<string, number> {
  const read = new Map<string, number>();
  for (const { type, table, rows, filteredOut } of plan) {
    if (table === null || !READS_TABLE.test(type)) continue;
    read.set(table, (read.get(table) ?? 0) + rows + filteredOut);
  }
  return read;
}

/** The tables that a plan scans sequentially. */
export const tablesReadWhole = (plan: readonly PlanStep[]): string[] =>
  plan.flatMap(({ type, table }) => (type === "Seq Scan" && table !== null ? [table] : []));

/** The largest number of rows that one step sorts. */
export const mostSorted = (plan: readonly PlanStep[]): number =>
  Math.max(0, ...plan.flatMap(({ type, rows }) => (type.endsWith("Sort") ? [rows] : [])));
