// What a change may not make dearer, and noise cannot: how many statements a request of this server takes and how many
// rows come back for it, on the data of the guard's scale and seed. CPU time is held against the limit's in the same
// run, far beyond what noise does. Nothing is remembered meanwhile: what a request takes must not hang on when it comes.

import { cost, measured } from "./ratios.mjs";

/**
 * @typedef {import("./measure.mjs").Measured} Measured
 * @typedef {{ workloads: Record<string, import("./measure.mjs").ByCandidate> }} Run
 */

export const GUARD = {
  pace: { rounds: 3, slice: 300, warming: { answers: 500, milliseconds: 3000 } },
  /**
   * By workload: statements and rows for a request, and how many times the limit's CPU time it may take.
   * @type {Record<string, { statements: number, rows: number, cpu: number }>}
   */
  expected: {
    W1: { statements: 4, rows: 205.6, cpu: 21 },
    W1c: { statements: 5, rows: 204.8, cpu: 18 },
    W1t: { statements: 4, rows: 14, cpu: 28 },
    W2: { statements: 5.5, rows: 24.3, cpu: 13 },
    W3: { statements: 3, rows: 4.9, cpu: 46 },
    W4: { statements: 4, rows: 188.6, cpu: 23 },
    W4n: { statements: 4, rows: 189.3, cpu: 17 },
    W5: { statements: 5, rows: 419, cpu: 2 },
    W5g: { statements: 7, rows: 398.6, cpu: 3 },
    W6: { statements: 4, rows: 14, cpu: 7 },
    W6g: { statements: 6, rows: 18.9, cpu: 24 },
    W7: { statements: 14, rows: 8, cpu: 61 },
    W9: { statements: 4, rows: 53, cpu: 9 },
  },
};

const cpuRatio = (/** @type {Measured} */ ours, /** @type {Measured} */ limit) => cost(ours) / cost(limit);

/** A line for each workload. @param {Run} run */
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
 * @returns {string[]} what is not as it was, a line each
 */
export function checkGuard({ workloads }) {
  const failures = [];
  for (const [name, { statements, rows, cpu }] of Object.entries(GUARD.expected)) {
    if (workloads[name] === undefined) continue;
    const [ours, limit] = ["forgetful", "limit"].map((who) => measured(workloads[name], who));
    if (!ours || !limit) {
      failures.push(`${name}: one request takes seconds`);
      continue;
    }
    if (!near(ours.statements, statements)) {
      failures.push(
        `${name}: ${ours.statements.toFixed(1)} statements a request, where ${statements} are expected`,
      );
    }
    if (!near(ours.rows, rows)) {
      failures.push(`${name}: ${ours.rows.toFixed(1)} rows read for a request, where ${rows} are expected`);
    }
    // Not a number where this system tells nobody's CPU time.
    const ratio = cpuRatio(ours, limit);
    if (ratio > cpu) {
      failures.push(`${name}: ${ratio.toFixed(2)} times the limit's CPU time, where ${cpu} is the bound`);
    }
  }
  return failures;
}
