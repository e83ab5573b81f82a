import { type InputHTMLAttributes, useId } from "react";
import { fieldProblem, type ProblemView } from "./Problem.js";

/** A form field with the server's message about its value. */
export function Field(
  props: InputHTMLAttributes<HTMLInputElement> & {
    readonly name: string;
    readonly label: string;
    readonly hint?: string;
    readonly problem: ProblemView | null;
  },
) {
  const { label, hint, problem, ...input } = props;
  const id = useId();
  const wrong = fieldProblem(problem, props.name);
  const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-invalid={wrong !== null} aria-describedby={described || undefined} {...input} />
      {hint && (
        <span id={`${id}-hint`} className="small muted">
          {hint}
        </span>
      )}
      {wrong !== null && (
        <span id={`${id}-wrong`} className="field-problem">
          {wrong}
        </span>
      )}
    </div>
  );
}
