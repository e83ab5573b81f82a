import type { SubmitEvent } from "react";
import { useCountdown } from "../api/problems.js";
import { useI18n } from "../i18n/index.js";
import { Field } from "../ui/Field.js";
import { Problem } from "../ui/Problem.js";
import { chatOf } from "./chatOf.js";
import { type ConnectedChannel, useConnect } from "./useConnect.js";

/** The form that connects a channel by its name, its id or an address in it. */
export function ConnectForm({ onConnected }: { readonly onConnected: (channel: ConnectedChannel) => void }) {
  const { t } = useI18n();
  const { problem, isBusy, connect } = useConnect(onConnected);
  const secondsLeft = useCountdown(problem);
  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const chat = chatOf(String(new FormData(event.currentTarget).get("chat")));
    if (chat !== "" && !isBusy && secondsLeft === 0) void connect(chat);
  }
  return (
    <form className="fields" data-transient onSubmit={submit}>
      {problem && <Problem problem={problem} fields={["chat"]} />}
      <Field
        name="chat"
        label={t("parts.chat")}
        hint={t("parts.chatHint")}
        placeholder="@channel"
        required
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        problem={problem}
      />
      <div>
        <button type="submit" className="primary" aria-disabled={isBusy || secondsLeft > 0}>
          {isBusy ? t("parts.connecting") : problem ? t("common.tryAgain") : t("parts.connect")}
        </button>
      </div>
    </form>
  );
}
