import { type ReactNode, useEffect, useReducer, useRef, useState } from "react";
import { type ProblemView, useCountdown } from "../api/problems.js";
import { useI18n } from "../i18n/index.js";
import { useCloseDialog } from "./Dialog.js";
import { Problem } from "./Problem.js";

/** Whether a field marks itself as busy. A form that is sent meanwhile would lack what the field is about to contain. */
export const isFieldBusy = (form: HTMLFormElement): boolean =>
  form.querySelector("[aria-busy=true]") !== null;

/** The form of a dialog: what is wrong as a whole, the fields, and the buttons that leave and send it. */
export function DialogForm(props: {
  readonly problem: ProblemView | null;
  /** The fields that show their own messages. */
  readonly fields: readonly string[];
  readonly isBusy: boolean;
  /** The name of the button that sends the form. */
  readonly submit: string;
  /** Advice if the outcome of sending it is unknown. */
  readonly ifUnknown?: string;
  /** Whether there is something to save; without it there always is. */
  readonly isChanged?: (form: HTMLFormElement) => boolean;
  readonly onInput?: (form: HTMLFormElement) => void;
  readonly onSubmit: (form: HTMLFormElement) => void;
  readonly children: ReactNode;
}) {
  const { problem, fields, isBusy, submit, isChanged = () => true, onInput, onSubmit, children } = props;
  const { t } = useI18n();
  const close = useCloseDialog();
  const form = useRef<HTMLFormElement>(null);
  const secondsLeft = useCountdown(problem);
  const [canSend, setCanSend] = useState(props.isChanged === undefined);
  const [inputs, countInput] = useReducer((count: number) => count + 1, 0);
  const [sendings, countSending] = useReducer((count: number) => count + 1, 0);
  const isHeld = isBusy || secondsLeft > 0;
  const canBeSent = (form: HTMLFormElement) => !isFieldBusy(form) && isChanged(form);
  // biome-ignore lint/correctness/useExhaustiveDependencies: an input may add fields, which are read once they are rendered.
  useEffect(() => {
    if (form.current && inputs > 0) setCanSend(canBeSent(form.current));
  }, [inputs]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the server or the page itself may find a value wrong.
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [problem, sendings]);
  return (
    <form
      ref={form}
      className="fields"
      noValidate
      onInput={({ currentTarget }) => {
        onInput?.(currentTarget);
        countInput();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        if (isHeld || !canBeSent(event.currentTarget)) return;
        onSubmit(event.currentTarget);
        countSending();
      }}
    >
      {problem && <Problem problem={problem} fields={fields} ifUnknown={props.ifUnknown} />}
      {children}
      <footer className="dialog-foot">
        <button type="button" onClick={close}>
          {t("common.cancel")}
        </button>
        <button type="submit" className="primary" aria-disabled={isHeld || !canSend}>
          {secondsLeft > 0
            ? t("problem.asksToWait", { count: secondsLeft })
            : problem
              ? t("common.tryAgain")
              : submit}
        </button>
      </footer>
    </form>
  );
}
