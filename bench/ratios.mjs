// Statistics of a run's results.

/** @typedef {import("./measure.mjs").Measured} Measured */
/** @typedef {import("./measure.mjs").ByCandidate} ByCandidate */
/** @typedef {{ median: number, least: number, most: number }} Spread */

/** @param {readonly number[]} numbers @returns {Spread} */
export function spread(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (/** @type {number} */ index) => sorted[index] ?? Number.NaN;
  const half = sorted.length >> 1;
  return {
    median: sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2,
    least: at(0),
    most: at(sorted.length - 1),
  };
}

/** A candidate's results; null if it was left out or not measured. @param {ByCandidate | undefined} results @param {string} name */
export function measured(results, name) {
  const one = results?.[name];
  return one === undefined || "left" in one ? null : one;
}

/** How many times the requests per second of `other` the candidate `one` answered, by round. @param {Measured | null} one @param {Measured | null} other */
export const ratio = (one, other) =>
  one === null || other === null
    ? null
    : spread(one.rates.map((rate, round) => rate / /** @type {number} */ (other.rates[round])));

/** The peer with the most requests per second; null if no peer was measured. @param {ByCandidate | undefined} results @param {readonly string[]} peers */
export function bestPeer(results, peers) {
  const rates = peers.flatMap((name) => {
    const one = measured(results, name);
    return one === null ? [] : [{ name, one, rate: spread(one.rates).median }];
  });
  return rates.sort((a, b) => b.rate - a.rate)[0] ?? null;
}

/** CPU milliseconds of one request in all processes. @param {Measured} one */
export const cost = ({ nodeCpu, postgresCpu }) => nodeCpu + postgresCpu;
