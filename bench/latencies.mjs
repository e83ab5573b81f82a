// A histogram of latencies whose bucket bounds grow by one per cent. Histograms of many slices can be added.

const STEP = Math.log(1.01);
/** Milliseconds of the first bucket; shorter latencies count in it. The last bucket is about ten minutes. */
const LEAST = 0.01;
const STEPS = 1800;

/** @returns {number[]} */
export const countsOf = () => new Array(STEPS).fill(0);

/** @param {number[]} counts @param {number} milliseconds */
export function record(counts, milliseconds) {
  const step = Math.round(Math.log(Math.max(milliseconds, LEAST) / LEAST) / STEP);
  counts[Math.min(step, STEPS - 1)] = (counts[Math.min(step, STEPS - 1)] ?? 0) + 1;
}

/** @param {readonly number[][]} all @param {number} share such as 0.99 @returns {number} milliseconds */
export function percentile(all, share) {
  const counts = all.reduce((sum, one) => sum.map((count, step) => count + (one[step] ?? 0)), countsOf());
  let left = share * counts.reduce((sum, count) => sum + count, 0);
  for (const [step, count] of counts.entries()) {
    left -= count;
    if (left <= 0) return LEAST * Math.exp(step * STEP);
  }
  return Number.NaN;
}
