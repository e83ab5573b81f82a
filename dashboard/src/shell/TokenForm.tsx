import { type SubmitEvent, useId, useState } from "react";
import { type Answer, probe } from "../api/probe.js";
import { useI18n } from "../i18n/index.js";
import { enter } from "./session.js";

/** The form that asks for an API token, and asks the server whether it accepts it. */
export function TokenForm(props: {
  /** The server has rejected the last token. */
  readonly isRefused?: boolean;
  readonly onEntered?: () => void;
}) {
  const { t } = useI18n();
  const problemId = useId();
  const [answer, setAnswer] = useState<Answer | null>(props.isRefused ? "refused" : null);
  const [isBusy, setIsBusy] = useState(false);

  async function submit(event: SubmitEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token")).trim();
    if (token === "" || isBusy) return;
    setIsBusy(true);
    const next = await probe(token);
    setIsBusy(false);
    setAnswer(next);
    if (next !== "accepted") return;
    enter(token);
    props.onEntered?.();
  }

  const isWrong = answer === "refused" || answer === "unreachable";
  return (
    <form className="fields" data-transient onSubmit={(event) => void submit(event)}>
      <label className="field">
        {t("signIn.token")}
        <input
          name="token"
          type="password"
          required
          // biome-ignore lint/a11y/noAutofocus: there is nothing else to do before.
          autoFocus
          pattern="\s*[!-~]+\s*"
          title={t("signIn.tokenForm")}
          autoComplete="off"
          spellCheck={false}
          aria-invalid={answer === "refused"}
          aria-describedby={isWrong ? problemId : undefined}
        />
      </label>
      {isWrong && (
        <p id={problemId} role="alert" className="problem">
          {answer === "refused" ? t("signIn.refused") : t("common.unreachable")}
        </p>
      )}
      <button type="submit" className="primary" aria-disabled={isBusy}>
        {t("signIn.submit")}
      </button>
    </form>
  );
}
