import { useApolloClient, useQuery } from "@apollo/client/react";
import { useId, useRef, useState } from "react";
import { messageOf } from "../../api/failure.js";
import { graphql } from "../../api/gql/index.js";
import { askRest } from "../../api/rest.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { getToken, refuse } from "../../shell/session.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { saveFile } from "../../ui/saveFile.js";
import { evictTypes } from "../settings/evictTypes.js";
import { FIELDS, type Field, fieldOfColumn, isIgnored, readColumns } from "./csvHeader.js";

const TYPES = graphql(`
  query ImportTagTypes {
    tagTypes {
      id
      name
    }
  }
`);

/** What the import tells: see ImportReport in /openapi.json. */
interface Report {
  readonly created: number;
  readonly updated: number;
  readonly known: number;
  readonly skipped: number;
  readonly tags: number;
  readonly tagTypes: number;
  readonly dryRun: boolean;
  readonly firstSkipped: readonly {
    readonly place: string;
    readonly url: string | null;
    readonly problems: readonly { readonly field: string; readonly message: string }[];
  }[];
}

/** What is to be imported, and how. Each change makes another one. */
interface Order {
  readonly file: File;
  /** Null for JSON. */
  readonly columns: readonly string[] | null;
  /** The fields by their columns; empty for a column without one. */
  readonly mapping: ReadonlyMap<string, string>;
  readonly isUpdate: boolean;
}

/** Imports links that exist in Telegram from a file: its columns are mapped, everything is checked, then it is stored. */
export function ImportFile() {
  const { t } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const id = useId();
  const { data } = useQuery(TYPES);
  const [chosen, setChosen] = useState<Order | null>(null);
  const [answer, setAnswer] = useState<{ readonly order: Order; readonly report: Report } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const [isOver, setIsOver] = useState(false);
  /** The file that was chosen last, which is being read or was. */
  const last = useRef<File | null>(null);

  async function choose(file: File | undefined): Promise<void> {
    if (!file || isBusy) return;
    last.current = file;
    // A folder cannot be read, nor can a file that has been deleted meanwhile.
    const columns = await readColumns(file).catch(() => undefined);
    if (last.current !== file) return;
    if (columns === undefined) return setProblem(t("import.unreadable", { name: file.name }));
    const mapping = new Map(columns?.map((column) => [column, fieldOfColumn(column) ?? ""]));
    setChosen({ file, columns, mapping, isUpdate: chosen?.isUpdate ?? false });
    setProblem(null);
  }

  // A check that another file or mapping was sent with says nothing about this one.
  const report = answer !== null && answer.order === chosen ? answer.report : null;
  const mapping: Order["mapping"] = chosen?.mapping ?? new Map();
  const open = chosen?.columns?.filter((column) => !isIgnored(column) && mapping.get(column) === "") ?? [];
  const taken = [...mapping.values()].filter((field) => field !== "");
  const twice = taken.find((field, index) => taken.indexOf(field) !== index);
  const hasAddress = chosen?.columns == null || taken.includes("url");
  const canCheck = chosen !== null && open.length === 0 && twice === undefined && hasAddress;

  async function send(isDryRun: boolean): Promise<void> {
    if (!chosen || !canCheck || isBusy) return;
    const order = chosen;
    setIsBusy(true);
    setProblem(null);
    const query = new URLSearchParams({
      channel_id: String(channelId),
      update: String(chosen.isUpdate),
      dry_run: String(isDryRun),
    });
    for (const [column, field] of mapping)
      if (field !== "" && field !== fieldOfColumn(column)) query.append("map", `${field}=${column}`);
    try {
      const response = await askRest(
        `/import?${query}`,
        { getToken, onRefused: refuse },
        {
          method: "POST",
          headers: { "content-type": chosen.columns === null ? "application/x-ndjson" : "text/csv" },
          body: chosen.file,
        },
      );
      setAnswer({ order, report: await response.json() });
    } catch (error) {
      setProblem(messageOf(error, t("common.unreachable")));
    } finally {
      if (!isDryRun) evictTypes(client.cache);
      setIsBusy(false);
    }
  }

  return (
    <section className="card import" aria-label={t("import.title")} aria-busy={isBusy}>
      <h2>{t("import.title")}</h2>
      <p className="muted">{t("import.hint")}</p>
      <label
        className="drop"
        data-over={isOver}
        onDragOver={(event) => {
          event.preventDefault();
          setIsOver(true);
        }}
        onDragLeave={() => setIsOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setIsOver(false);
          void choose(event.dataTransfer.files[0]);
        }}
      >
        <Icon name="plus" /> <span>{chosen ? <Name>{chosen.file.name}</Name> : t("import.drop")}</span>
        <input
          type="file"
          className="hidden"
          accept=".csv,.tsv,.txt,.json,.jsonl,.ndjson"
          aria-label={t("import.drop")}
          onChange={({ target }) => {
            void choose(target.files?.[0]);
            // The same file can be chosen again after it was edited.
            target.value = "";
          }}
        />
      </label>
      {chosen && (
        <>
          {chosen.columns && (
            <fieldset className="mapping" disabled={isBusy}>
              <legend>{t("import.columns")}</legend>
              {chosen.columns.map((column, index) => (
                <div key={column}>
                  <label htmlFor={`${id}-${index}`}>
                    <Name>{column}</Name>
                  </label>
                  {isIgnored(column) ? (
                    <span className="muted">{t("import.ignored")}</span>
                  ) : (
                    <select
                      id={`${id}-${index}`}
                      value={mapping.get(column) ?? ""}
                      aria-invalid={mapping.get(column) === "" || mapping.get(column) === twice}
                      onChange={({ target }) =>
                        setChosen({ ...chosen, mapping: new Map([...mapping, [column, target.value]]) })
                      }
                    >
                      <option value="">{t("import.choose")}</option>
                      {FIELDS.map((field: Field) => (
                        <option key={field} value={field}>
                          {t(`import.fields.${field}`)}
                        </option>
                      ))}
                      {[
                        ...new Set([
                          ...(data?.tagTypes.map(({ name }) => `tag:${name}`) ?? []),
                          ...(fieldOfColumn(column)?.startsWith("tag:") ? [column] : []),
                        ]),
                      ].map((field) => (
                        <option key={field} value={field}>
                          {t("import.tagsOf", { type: field.slice("tag:".length) })}
                        </option>
                      ))}
                    </select>
                  )}
                </div>
              ))}
            </fieldset>
          )}
          <label className="check">
            <input
              type="checkbox"
              checked={chosen.isUpdate}
              disabled={isBusy}
              onChange={({ target }) => setChosen({ ...chosen, isUpdate: target.checked })}
            />
            {t("import.update")}
          </label>
          <p role="status" className={canCheck ? "hidden" : "field-problem"}>
            {open.length > 0
              ? t("import.open")
              : twice !== undefined
                ? t("import.twice")
                : !hasAddress && t("import.noAddress")}
          </p>
        </>
      )}
      {problem !== null && (
        <p role="alert" className="problem">
          {problem}
        </p>
      )}
      {isBusy && <progress aria-label={t("bulk.progress")} />}
      {/* Always there, since screen readers announce what is added to it. */}
      <p role="status" className={report ? "report-title" : "hidden"}>
        {report && (report.dryRun ? t("import.wouldBe") : t("import.was"))}
      </p>
      {report && chosen && <ReportView report={report} name={chosen.file.name} />}
      {chosen && (
        <footer className="dialog-foot">
          <button
            type="button"
            className={report?.dryRun ? "" : "primary"}
            aria-disabled={!canCheck || isBusy}
            onClick={() => void send(true)}
          >
            {t("import.check")}
          </button>
          {report?.dryRun && report.created + report.updated > 0 && (
            <ImportButton
              count={report.created + report.updated}
              isBusy={isBusy}
              onImport={() => void send(false)}
            />
          )}
        </footer>
      )}
    </section>
  );
}

function ImportButton(props: {
  readonly count: number;
  readonly isBusy: boolean;
  readonly onImport: () => void;
}) {
  const { t, number } = useI18n();
  return (
    <button type="button" className="primary" aria-disabled={props.isBusy} onClick={props.onImport}>
      {t("import.submit", { count: props.count, shown: number(props.count) })}
    </button>
  );
}

/** What would change or has changed, and which rows were refused. */
function ReportView({ report, name }: { readonly report: Report; readonly name: string }) {
  const { t, number } = useI18n();
  const { created, updated, known, skipped, tags, tagTypes, firstSkipped } = report;
  const hidden = skipped - firstSkipped.length;
  return (
    <div className="report">
      <dl className="tiles">
        {(["created", "updated", "known", "skipped"] as const).map((what) => (
          <div key={what} className="tile">
            <dt>{t(`import.counts.${what}`)}</dt>
            <dd>{number({ created, updated, known, skipped }[what])}</dd>
          </div>
        ))}
      </dl>
      {tags + tagTypes > 0 && (
        <p className="small muted">{t("import.newTags", { tags: number(tags), types: number(tagTypes) })}</p>
      )}
      {firstSkipped.length > 0 && (
        <ul className="refused" aria-label={t("import.counts.skipped")}>
          {firstSkipped.map(({ place, url, problems }) => (
            <li key={place}>
              <strong>{place}</strong> {url !== null && <code>{url}</code>}{" "}
              {problems.map(({ field, message }) => `${field}: ${message}`).join(" ")}
            </li>
          ))}
        </ul>
      )}
      {hidden > 0 && (
        <p className="small muted">{t("import.moreSkipped", { count: hidden, shown: number(hidden) })}</p>
      )}
      <button
        type="button"
        className="slim"
        onClick={() =>
          saveFile(
            `${name} report.json`,
            new Blob([JSON.stringify(report, null, 2)], { type: "application/json" }),
          )
        }
      >
        {t("import.report")}
      </button>
    </div>
  );
}
