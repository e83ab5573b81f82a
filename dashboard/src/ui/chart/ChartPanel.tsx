import { Suspense } from "react";
import { useI18n } from "../../i18n/index.js";
import { Boundary } from "../Boundary.js";
import { LoadProblem } from "../LoadProblem.js";
import { lazyPart } from "../lazyPart.js";
import { Segments } from "../Segments.js";
import type { Bucket } from "./SeriesChart.js";
import { SPANS, type Span, timeOf } from "./spans.js";
import "./chart.css";

const SeriesChart = lazyPart(() => import("./SeriesChart.js"));

/** The chart of joins and leaves, with the choice of its span. Its library is loaded while the numbers are. */
export function ChartPanel(props: {
  /** Undefined until they are loaded. */
  readonly buckets: readonly Bucket[] | undefined;
  readonly span: Span;
  readonly timeZone: string;
  readonly isBusy: boolean;
  readonly error: Error | undefined;
  readonly onRetry: () => void;
  readonly onSpan: (span: Span) => void;
}) {
  const { buckets, span, timeZone, isBusy, error, onRetry, onSpan } = props;
  const { t } = useI18n();
  const label = t("series.title");
  const place = <div className="series-place" role="status" aria-label={t("common.loading")} />;
  return (
    <section className="card panel" aria-label={label} aria-busy={isBusy}>
      <header className="panel-head">
        <h2>{label}</h2>
        <Segments
          label={t("series.span")}
          values={SPANS.map((days) => [days, t(`series.spans.${days}`)] as const)}
          chosen={span}
          onChoose={onSpan}
        />
      </header>
      {error && <LoadProblem title={t("series.failed")} error={error} onRetry={onRetry} />}
      {(buckets || !error) && (
        <Boundary
          instead={({ error: thrown, retry }) => (
            <LoadProblem title={t("series.failed")} error={thrown} onRetry={retry} />
          )}
        >
          <Suspense fallback={place}>
            {buckets ? (
              <SeriesChart
                buckets={buckets}
                unit={timeOf(span, timeZone).unit}
                timeZone={timeZone}
                label={label}
              />
            ) : (
              place
            )}
          </Suspense>
        </Boundary>
      )}
    </section>
  );
}
