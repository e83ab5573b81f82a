import { type ReactNode, useState } from "react";
import type { FragmentType } from "../../api/gql/index.js";
import { fieldProblem, type ProblemView } from "../../api/problems.js";
import { parseAmount } from "../../i18n/format.js";
import { useI18n } from "../../i18n/index.js";
import { fromLocal, toLocal } from "../../i18n/zone.js";
import { useChannel } from "../../shell/channel.js";
import { DialogForm } from "../../ui/DialogForm.js";
import { Field } from "../../ui/Field.js";
import type { ShownLink } from "./shownLink.js";
import { type TAG_CHOICE, TagPicker } from "./TagPicker.js";

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

/** Fields that show their own messages. */
const FIELDS = ["name", "budget", "expireDate", "memberLimit", "createsJoinRequest", "tagIds"];

/** @returns the values, and the fields whose values the page itself does not accept */
function readForm(form: HTMLFormElement, initial: ShownLink | null, timeZone: string) {
  const data = new FormData(form);
  const text = (name: string) => String(data.get(name) ?? "").trim();
  const amount = parseAmount(text("budget"));
  const values: LinkValues = {
    name: text("name"),
    budget: amount ?? "0",
    expireDate: fromLocal(text("expireDate"), timeZone),
    memberLimit: text("memberLimit") === "" ? null : Number(text("memberLimit")),
    // A disabled check box is not in the form's data.
    createsJoinRequest: isFixed(initial)
      ? initial?.createsJoinRequest === true
      : data.has("createsJoinRequest"),
    tagIds: data.getAll("tagIds").map(String),
  };
  const wrong = {
    name: initial === null && values.name === "",
    budget: amount === null,
  };
  return { values, wrong };
}

/** Telegram does not let the bot edit links of other administrators, nor anybody edit revoked ones. */
const isFixed = (link: ShownLink | null): boolean => link !== null && (!link.isBotCreated || link.isRevoked);

/** The form that creates or edits a link. */
export function LinkForm(props: {
  readonly initial: ShownLink | null;
  /** The values of a new link to begin with. */
  readonly values?: LinkValues | null;
  /** The names of links of which it is unknown whether they were created. */
  readonly uncertainNames?: readonly string[];
  readonly currency: string;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly problem: ProblemView | null;
  readonly isBusy: boolean;
  readonly submit: string;
  /** Whether there is something to save; without it there always is. */
  readonly isChanged?: (values: LinkValues, form: HTMLFormElement) => boolean;
  readonly onSubmit: (values: LinkValues, form: HTMLFormElement) => void;
  /** Further fields where approval is required, which whoever gives them reads from the form. */
  readonly children?: ReactNode;
}) {
  const {
    initial,
    values,
    uncertainNames = [],
    currency,
    tagChoices,
    problem,
    isBusy,
    submit,
    isChanged,
    onSubmit,
    children,
  } = props;
  const shown = values ?? initial;
  const { t } = useI18n();
  const { timeZone } = useChannel();
  const [wrong, setWrong] = useState({ name: false, budget: false });
  const [name, setName] = useState(shown?.name ?? "");
  const [needsApproval, setNeedsApproval] = useState(shown?.createsJoinRequest ?? false);
  const fixed = isFixed(initial);
  const read = (form: HTMLFormElement) => readForm(form, initial, timeZone);
  return (
    <DialogForm
      problem={problem}
      fields={FIELDS}
      isBusy={isBusy}
      submit={submit}
      {...(initial === null && { ifUnknown: t("settle.inForm") })}
      {...(isChanged && {
        isChanged: (form) => read(form).wrong.budget || isChanged(read(form).values, form),
      })}
      onInput={(form) => {
        const { values: given } = read(form);
        setName(given.name);
        setNeedsApproval(given.createsJoinRequest);
      }}
      onSubmit={(form) => {
        const { values: given, wrong: found } = read(form);
        setWrong(found);
        if (!found.name && !found.budget) onSubmit(given, form);
      }}
    >
      {fixed && (
        <p className="notice">{initial?.isRevoked ? t("form.revokedFixed") : t("form.foreignFixed")}</p>
      )}
      <Field
        name="name"
        label={t("form.name")}
        hint={t("form.nameHint")}
        defaultValue={shown?.name ?? ""}
        readOnly={fixed}
        required={initial === null}
        autoComplete="off"
        problem={problem}
        wrong={wrong.name ? t("form.required") : undefined}
      />
      {uncertainNames.includes(name) && (
        <p role="status" className="notice">
          {t("settle.sameName")}
        </p>
      )}
      <div className="pair">
        <Field
          name="budget"
          label={t("form.budgetIn", { currency })}
          defaultValue={shown?.budget ?? ""}
          placeholder="0.00"
          inputMode="decimal"
          autoComplete="off"
          problem={problem}
          wrong={wrong.budget ? t("form.amount") : undefined}
        />
        <Field
          name="memberLimit"
          label={t("form.memberLimit")}
          type="number"
          min={1}
          max={99999}
          defaultValue={shown?.memberLimit ?? ""}
          placeholder={t("form.noLimit")}
          readOnly={fixed}
          problem={problem}
        />
      </div>
      <div className="pair">
        <Field
          name="expireDate"
          label={t("form.expires")}
          type="datetime-local"
          hint={t("form.timeZone", { zone: timeZone })}
          max="9999-12-31T23:59"
          defaultValue={toLocal(shown?.expireDate, timeZone)}
          readOnly={fixed}
          problem={problem}
        />
        <label className="check">
          <input
            type="checkbox"
            name="createsJoinRequest"
            defaultChecked={shown?.createsJoinRequest ?? false}
            disabled={fixed}
            aria-invalid={fieldProblem(problem, "createsJoinRequest") !== null}
          />
          {t("form.requireApproval")}
          {fieldProblem(problem, "createsJoinRequest") !== null && (
            <span className="field-problem">{fieldProblem(problem, "createsJoinRequest")}</span>
          )}
        </label>
      </div>
      <TagPicker
        choices={tagChoices}
        chosen={new Set(values?.tagIds ?? initial?.tags.map(({ id }) => id))}
        problem={fieldProblem(problem, "tagIds")}
      />
      {needsApproval && children}
    </DialogForm>
  );
}
