import { type InputHTMLAttributes, type ReactNode, useId } from "react";
import { fieldProblem, type ProblemView } from "../api/problems.js";

/** A form field with its hint, and with the message about its value: the page's own, or else the server's. */
export function Field(
  props: InputHTMLAttributes<HTMLInputElement> & {
    readonly name: string;
    readonly label: string;
    readonly hint?: ReactNode;
    readonly problem: ProblemView | null;
    /** What the page itself says about the value. */
    readonly wrong?: string | undefined;
  },
) {
  const { label, hint, problem, wrong, ...input } = props;
  const id = useId();
  const message = wrong ?? fieldProblem(problem, props.name);
  const described = [hint && `${id}-hint`, message && `${id}-wrong`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        dir="auto"
        aria-invalid={message !== null}
        aria-describedby={described || undefined}
        {...input}
      />
      {hint && (
        <span id={`${id}-hint`} className="small muted">
          {hint}
        </span>
      )}
      {message !== null && (
        <span id={`${id}-wrong`} className="field-problem">
          {message}
        </span>
      )}
    </div>
  );
}
