// What is read out of a run's numbers.

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

/** Of candidates that were not left out. @param {ByCandidate | undefined} results @param {string} name */
export function measured(results, name) {
  const one = results?.[name];
  return one === undefined || "left" in one ? null : one;
}

/** How many times as many requests one answered as the other, round by round. @param {Measured | null} one @param {Measured | null} other */
export const ratio = (one, other) =>
  one === null || other === null
    ? null
    : spread(one.rates.map((rate, round) => rate / /** @type {number} */ (other.rates[round])));

/** Of all peers the one that answered the most. @param {ByCandidate | undefined} results @param {readonly string[]} peers */
export function bestPeer(results, peers) {
  const rates = peers.flatMap((name) => {
    const one = measured(results, name);
    return one === null ? [] : [{ name, one, rate: spread(one.rates).median }];
  });
  return rates.sort((a, b) => b.rate - a.rate)[0] ?? null;
}

/** CPU time of a request in all processes. @param {Measured} one */
export const cost = ({ nodeCpu, postgresCpu }) => nodeCpu + postgresCpu;
