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
    W1: { statements: 3, rows: 140.5, cpu: 8 },
    W1c: { statements: 4, rows: 140.2, cpu: 9 },
    W1t: { statements: 3, rows: 13, cpu: 9 },
    W2: { statements: 3.5, rows: 15.8, cpu: 4 },
    W3: { statements: 2.8, rows: 4.9, cpu: 7 },
    W4: { statements: 3, rows: 134.2, cpu: 8 },
    W4n: { statements: 3, rows: 135.7, cpu: 11 },
    W5: { statements: 4, rows: 417, cpu: 1 },
    W5g: { statements: 5, rows: 420.7, cpu: 1 },
    W6: { statements: 3, rows: 13, cpu: 4 },
    W6g: { statements: 4, rows: 16.9, cpu: 11 },
    W7: { statements: 14, rows: 8, cpu: 62 },
    W9: { statements: 4, rows: 138.5, cpu: 9 },
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
