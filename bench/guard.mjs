// The guard: fails if a request of this server takes other statements or rows than expected on the guard's data, or far
// more CPU time than the limit in the same run. Statements and rows do not vary between runs; the bounds of CPU time leave
// room for noise. The server runs with CACHE=off, because with caches the statements of a request depend on earlier ones.

import { cost, measured } from "./ratios.mjs";

/**
 * @typedef {import("./measure.mjs").Measured} Measured
 * @typedef {{ workloads: Record<string, import("./measure.mjs").ByCandidate> }} Run
 */

export const GUARD = {
  pace: { rounds: 3, slice: 300, warming: { answers: 500, milliseconds: 3000 } },
  /**
   * By workload: expected statements and rows of one request, and the largest allowed multiple of the limit's CPU time.
   * @type {Record<string, { statements: number, rows: number, cpu: number }>}
   */
  expected: {
    W1: { statements: 3, rows: 140.5, cpu: 8 },
    W1c: { statements: 4, rows: 140.2, cpu: 9 },
    W1t: { statements: 2, rows: 2, cpu: 5 },
    W2: { statements: 3.5, rows: 15.8, cpu: 4 },
    W3: { statements: 2.8, rows: 4.9, cpu: 7 },
    W4: { statements: 3, rows: 134.2, cpu: 8 },
    W4n: { statements: 3, rows: 135.7, cpu: 11 },
    W5: { statements: 3, rows: 406, cpu: 1 },
    W5g: { statements: 4, rows: 409.7, cpu: 1 },
    W6: { statements: 2, rows: 2, cpu: 3 },
    W6g: { statements: 3, rows: 5.9, cpu: 8 },
    W7: { statements: 12, rows: 6, cpu: 30 },
    W9: { statements: 4, rows: 138.5, cpu: 9 },
  },
};

const cpuRatio = (/** @type {Measured} */ ours, /** @type {Measured} */ limit) => cost(ours) / cost(limit);

/** One line for each workload. @param {Run} run */
export const guardTable = ({ workloads }) =>
  Object.keys(workloads)
    .map((name) => {
      const [ours, limit] = ["forgetful", "limit"].map((who) => measured(workloads[name], who));
      if (!ours || !limit) return `${name}: left out`;
      return `${name}: ${ours.statements.toFixed(1)} statements, ${ours.rows.toFixed(1)} rows, ${cpuRatio(ours, limit).toFixed(2)} times the limit's CPU time`;
    })
    .join("\n");

const near = (/** @type {number} */ one, /** @type {number} */ other) => Math.abs(one - other) < 0.05;

/**
 * @param {Run} run
 * @returns {string[]} one message for each deviation
 */
export function checkGuard({ workloads }) {
  const failures = [];
  for (const [name, { statements, rows, cpu }] of Object.entries(GUARD.expected)) {
    if (workloads[name] === undefined) continue;
    const [ours, limit] = ["forgetful", "limit"].map((who) => measured(workloads[name], who));
    if (!ours || !limit) {
      failures.push(`${name}: one request takes more than three seconds`);
      continue;
    }
    if (!near(ours.statements, statements)) {
      failures.push(
        `${name}: one request takes ${ours.statements.toFixed(1)} statements; expected are ${statements}`,
      );
    }
    if (!near(ours.rows, rows)) {
      failures.push(`${name}: one request reads ${ours.rows.toFixed(1)} rows; expected are ${rows}`);
    }
    // NaN, and therefore no failure, on systems that do not report CPU time.
    const ratio = cpuRatio(ours, limit);
    if (ratio > cpu) {
      failures.push(
        `${name}: one request takes ${ratio.toFixed(2)} times the limit's CPU time; allowed are ${cpu}`,
      );
    }
  }
  return failures;
}
