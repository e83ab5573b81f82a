import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useI18n } from "../../i18n/index.js";
import { useMedia } from "../useMedia.js";
import { bucketNames, type Unit } from "./bucketNames.js";
import "./chart.css";

export interface Bucket {
  readonly from: string;
  readonly joinCount: number;
  readonly leaveCount: number;
  readonly activeCount: number;
}

const HEIGHT = 220;
const FONT = "12px system-ui, sans-serif";
/** The steps between the labels below: days, weeks, and the quarters of a year. */
const STEPS = [1, 2, 3, 4, 7, 14, 28, 56, 91, 182, 364];

/** Joins upward and leaves downward, a bar for each bucket of time, with the same numbers as a table. */
export default function SeriesChart(props: {
  readonly buckets: readonly Bucket[];
  readonly unit: Unit;
  readonly timeZone: string;
  /** What the chart is about. */
  readonly label: string;
}) {
  const { buckets, unit, timeZone, label } = props;
  const { t, number, language } = useI18n();
  const [hovered, setHovered] = useState<number | null>(null);
  const names = useMemo(() => bucketNames(language, timeZone, unit), [language, timeZone, unit]);
  const titleOf = ({ from }: Bucket) => names.long(from);
  const sum = (key: "joinCount" | "leaveCount") => buckets.reduce((total, one) => total + one[key], 0);
  const one = hovered === null ? undefined : buckets[hovered];
  const [first, last] = [buckets[0], buckets.at(-1)];
  const span = first && last ? `${titleOf(first)} – ${titleOf(last)}` : "";
  const joins = number(one ? one.joinCount : sum("joinCount"));
  const leaves = number(one ? one.leaveCount : sum("leaveCount"));
  return (
    <figure className="series">
      <figcaption className="series-legend">
        <span className="series-key" data-kind="joins">
          {t("series.joins")} <b>{joins}</b>
        </span>
        <span className="series-key" data-kind="leaves">
          {t("series.leaves")} <b>{leaves}</b>
        </span>
        <span className="muted">{one ? titleOf(one) : span}</span>
      </figcaption>
      <Canvas
        buckets={buckets}
        labels={buckets.map(({ from }) => names.short(from))}
        description={t("series.description", {
          label,
          span,
          joins: number(sum("joinCount")),
          leaves: number(sum("leaveCount")),
        })}
        onHover={setHovered}
      />
      <details className="series-table">
        <summary>{t("series.asTable")}</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls is reached by keyboard. */}
        <section tabIndex={0} aria-label={t("series.tableOf", { label })}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t(`series.unit.${unit}`)}</th>
                <th scope="col">{t("series.joins")}</th>
                <th scope="col">{t("series.leaves")}</th>
                <th scope="col">{t("series.members")}</th>
              </tr>
            </thead>
            <tbody>
              {buckets.map((bucket) => (
                <tr key={bucket.from}>
                  <th scope="row">{titleOf(bucket)}</th>
                  <td>{number(bucket.joinCount)}</td>
                  <td>{number(bucket.leaveCount)}</td>
                  <td>{number(bucket.activeCount)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  );
}

const toData = (buckets: readonly Bucket[]): uPlot.AlignedData => [
  buckets.map((_, index) => index),
  buckets.map(({ joinCount }) => joinCount),
  buckets.map(({ leaveCount }) => -leaveCount),
];

/** The drawing. It is made anew for another color scheme or language, and takes new numbers and widths as they are. */
function Canvas(props: {
  readonly buckets: readonly Bucket[];
  /** The short name of each bucket. */
  readonly labels: readonly string[];
  readonly description: string;
  readonly onHover: (index: number | null) => void;
}) {
  const { buckets, labels, description, onHover } = props;
  const { number } = useI18n();
  const isDark = useMedia("(prefers-color-scheme: dark)");
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef({ buckets, labels });
  shown.current = { buckets, labels };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the colors are those of the scheme.
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const styles = getComputedStyle(element);
    const color = (name: string) => styles.getPropertyValue(name).trim();
    const bars = (name: string): uPlot.Series => ({
      fill: color(name),
      width: 0,
      points: { show: false },
      ...(uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [0.7, 36], radius: 0.15 }) }),
    });
    const created = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        // The last name below the bars needs room.
        padding: [8, 16, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        scales: {
          x: { time: false, range: (_plot, min, max) => [min - 0.5, max + 0.5] },
          // Without any number, the axis has a height all the same.
          y: { range: (_plot, min, max) => [Math.min(min * 1.1, 0), Math.max(max * 1.1, 4)] },
        },
        axes: [
          {
            stroke: color("--muted"),
            font: FONT,
            grid: { show: false },
            ticks: { show: false },
            size: 30,
            incrs: STEPS,
            space: 80,
            values: (_plot, splits) => splits.map((index) => shown.current.labels[index] ?? ""),
          },
          {
            stroke: color("--muted"),
            font: FONT,
            size: 44,
            grid: { stroke: color("--line"), width: 1 },
            ticks: { show: false },
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6],
            values: (_plot, splits) => splits.map((value) => number(Math.abs(value))),
          },
        ],
        series: [{}, bars("--accent"), bars("--leaves")],
        hooks: { setCursor: [({ cursor }) => onHover(cursor.idx ?? null)] },
      },
      toData(shown.current.buckets),
      element,
    );
    plot.current = created;
    const observer = new ResizeObserver(() =>
      created.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = null;
    };
  }, [isDark, number]);
  useEffect(() => plot.current?.setData(toData(buckets)), [buckets]);
  return <div ref={place} role="img" aria-label={description} className="series-canvas" />;
}
