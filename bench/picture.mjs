// Draws the multiples of the limit's requests per second as bars, with a line from the smallest to the largest round.

import { measured, ratio } from "./ratios.mjs";
import { candidates } from "./servers.mjs";

const COLORS = ["#2f6fdb", "#c2730a", "#7b52ab", "#2e8b57", "#b03a5b", "#5f6b7a"];
const [WIDTH, TOP, PLOT, LEFT] = [960, 64, 260, 48];

/** @param {{ workloads: Record<string, import("./measure.mjs").ByCandidate> }} run @returns {string} an SVG */
export function picture({ workloads }) {
  const names = Object.keys(workloads).filter((name) => measured(workloads[name], "limit") !== null);
  const titles = Object.entries(candidates({})).filter(
    ([who]) => who !== "limit" && names.some((name) => measured(workloads[name], who) !== null),
  );
  const bars = names.flatMap((name, group) =>
    titles.flatMap(([who], index) => {
      const found = ratio(measured(workloads[name], who), measured(workloads[name], "limit"));
      return found === null ? [] : [{ ...found, group, index }];
    }),
  );
  // A bar of more than twice the limit is cut off; the number above the bar gives its value.
  const top = Math.min(2, Math.max(1.1, ...bars.map(({ median }) => median * 1.05)));
  const y = (/** @type {number} */ value) => TOP + PLOT * (1 - Math.min(value, top) / top);
  const step = (WIDTH - LEFT - 8) / names.length;
  const width = (step * 0.8) / titles.length;
  const text = (
    /** @type {number} */ x,
    /** @type {number} */ at,
    /** @type {string} */ words,
    /** @type {string} */ more = "",
  ) => `<text x="${x.toFixed(1)}" y="${at.toFixed(1)}" ${more}>${words}</text>`;

  const lines = [0, 0.25, 0.5, 0.75, 1, 1.5, 2]
    .filter((value) => value <= top)
    .map(
      (value) =>
        `<line x1="${LEFT}" x2="${WIDTH}" y1="${y(value)}" y2="${y(value)}" class="${value === 1 ? "limit" : "grid"}"/>` +
        text(LEFT - 6, y(value) + 4, String(value), 'text-anchor="end"'),
    );
  const drawn = bars.map(({ median, least, most, group, index }) => {
    const x = LEFT + 8 + group * step + index * width;
    const middle = (x + width / 2 - 1).toFixed(1);
    const bar = `<rect x="${x.toFixed(1)}" y="${y(median).toFixed(1)}" width="${(width - 2).toFixed(1)}" height="${(TOP + PLOT - y(median)).toFixed(1)}" fill="${COLORS[index % COLORS.length]}"/>`;
    const range = `<line x1="${middle}" x2="${middle}" y1="${y(most).toFixed(1)}" y2="${y(least).toFixed(1)}" class="range"/>`;
    return (
      bar + range + text(Number(middle), y(Math.max(median, most)) - 4, median.toFixed(2), 'class="value"')
    );
  });
  const labels = names.map((name, group) =>
    text(LEFT + 8 + group * step + step * 0.4, TOP + PLOT + 18, name, 'text-anchor="middle"'),
  );
  let end = LEFT + 8;
  const legend = titles.map(([, { title }], index) => {
    const x = end;
    end += 30 + title.length * 6.2;
    return `<rect x="${x.toFixed(1)}" y="14" width="10" height="10" fill="${COLORS[index % COLORS.length]}"/>${text(x + 15, 23, title)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${TOP + PLOT + 30}" role="img">
<title>Requests per second, as multiples of the limit's</title>
<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f } .value { font-size: 9px; text-anchor: middle }
  .grid { stroke: #d0d7de } .limit { stroke: #24292f; stroke-dasharray: 4 3 } .range { stroke: #24292f; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #3d444d } .limit, .range { stroke: #e6edf3 } }
</style>
${[...legend, ...lines, ...drawn, ...labels].join("\n")}
</svg>
`;
}
