import { useEffect, useRef } from "react";
import { Field } from "./Field.js";
import { fromLocal, toLocal } from "./format.js";
import type { LinkFieldsFragment } from "./gql/graphql.js";
import { type FragmentType, graphql } from "./gql/index.js";
import { fieldProblem, Problem, type ProblemView, useCountdown } from "./Problem.js";
import { type TAG_CHOICE, TagPicker } from "./TagPicker.js";

/** The properties of a link that the form edits. */
export const LINK_FIELDS = graphql(`
  fragment LinkFields on InviteLink {
    id
    name
    budget
    expireDate
    memberLimit
    createsJoinRequest
    isBotCreated
    tags {
      id
    }
  }
`);

/** The values of the form. */
export interface LinkValues {
  readonly name: string;
  /** An exact decimal, for example "1500.50". */
  readonly budget: string;
  readonly expireDate: string | null;
  readonly memberLimit: number | null;
  readonly createsJoinRequest: boolean;
  readonly tagIds: string[];
}

/** Advice if the outcome of a creation is unknown. The idempotency key makes a retry from the same form safe. */
const CREATION_UNKNOWN =
  "You can try again from this form: it never creates a second link. If this message stays, look at the bot’s links in " +
  "Telegram. An administrator can then settle the creation with resolveCreation.";

/** Fields that show their own messages. */
const FIELDS = ["name", "budget", "expireDate", "memberLimit", "createsJoinRequest", "tagIds"];

function readForm(form: HTMLFormElement): LinkValues {
  const data = new FormData(form);
  const text = (name: string) => String(data.get(name) ?? "").trim();
  return {
    name: text("name"),
    budget: text("budget").replace(",", ".") || "0",
    expireDate: fromLocal(text("expireDate")),
    memberLimit: text("memberLimit") === "" ? null : Number(text("memberLimit")),
    createsJoinRequest: data.has("createsJoinRequest"),
    tagIds: data.getAll("tagIds").map(String),
  };
}

/** The form that creates or edits a link. */
export function LinkForm(props: {
  readonly initial: LinkFieldsFragment | null;
  readonly currency: string;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly problem: ProblemView | null;
  readonly isBusy: boolean;
  readonly submit: string;
  readonly onSubmit: (values: LinkValues) => void;
  readonly onClose: () => void;
}) {
  const { initial, currency, tagChoices, problem, isBusy, submit, onSubmit, onClose } = props;
  const form = useRef<HTMLFormElement>(null);
  const secondsLeft = useCountdown(problem);
  // Telegram does not let the bot edit links of other administrators.
  const isForeign = initial?.isBotCreated === false;
  useEffect(() => {
    if (problem) form.current?.querySelector<HTMLInputElement>("[aria-invalid=true]")?.focus();
  }, [problem]);
  return (
    <form
      ref={form}
      className="fields"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isBusy && secondsLeft === 0) onSubmit(readForm(event.currentTarget));
      }}
    >
      {problem && (
        <Problem
          problem={problem}
          fields={FIELDS}
          secondsLeft={secondsLeft}
          {...(initial === null && { ifUnknown: CREATION_UNKNOWN })}
        />
      )}
      <Field
        name="name"
        label="Name"
        hint="As administrators see it in Telegram, up to 32 characters"
        defaultValue={initial?.name ?? ""}
        readOnly={isForeign}
        autoComplete="off"
        problem={problem}
      />
      <div className="pair">
        <Field
          name="budget"
          label={`Budget, ${currency}`}
          defaultValue={initial?.budget ?? ""}
          placeholder="0.00"
          inputMode="decimal"
          pattern="\d{1,12}([.,]\d{1,2})?"
          title="An amount such as 1500 or 1500.50"
          autoComplete="off"
          problem={problem}
        />
        <Field
          name="memberLimit"
          label="Member limit"
          type="number"
          min={1}
          max={99999}
          defaultValue={initial?.memberLimit ?? ""}
          placeholder="no limit"
          readOnly={isForeign}
          problem={problem}
        />
      </div>
      <div className="pair">
        <Field
          name="expireDate"
          label="Expires"
          type="datetime-local"
          defaultValue={toLocal(initial?.expireDate)}
          readOnly={isForeign}
          problem={problem}
        />
        <label className="check">
          <input
            type="checkbox"
            name="createsJoinRequest"
            defaultChecked={initial?.createsJoinRequest ?? false}
            disabled={isForeign}
            aria-invalid={fieldProblem(problem, "createsJoinRequest") !== null}
          />
          Members need approval
          {fieldProblem(problem, "createsJoinRequest") !== null && (
            <span className="field-problem">{fieldProblem(problem, "createsJoinRequest")}</span>
          )}
        </label>
      </div>
      <TagPicker
        choices={tagChoices}
        chosen={new Set(initial?.tags.map(({ id }) => id))}
        problem={fieldProblem(problem, "tagIds")}
      />
      <footer className="dialog-foot">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={isBusy || secondsLeft > 0}>
          {isBusy
            ? "One moment …"
            : secondsLeft > 0
              ? `Wait ${secondsLeft} s`
              : problem
                ? "Try again"
                : submit}
        </button>
      </footer>
    </form>
  );
}
