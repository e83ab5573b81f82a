import { useMutation } from "@apollo/client/react";
import { useState } from "react";
import { graphql } from "../../api/gql/index.js";
import { type Attempt, fieldProblem, requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { appendTo } from "../../parts/appendTo.js";
import { ChannelChoice, chosenChannels } from "../../parts/ChannelChoice.js";
import { Dialog } from "../../ui/Dialog.js";
import { DialogForm } from "../../ui/DialogForm.js";
import { Field } from "../../ui/Field.js";
import { SecretShown } from "./SecretShown.js";

const CREATE_TOKEN = graphql(`
  mutation CreateToken($input: CreateApiTokenInput!) {
    createApiToken(input: $input) {
      __typename
      ... on CreateApiTokenSuccess {
        secret
        apiToken {
          ...ApiTokenRow
        }
      }
      ...Problem
    }
  }
`);

const ROLES = ["VIEWER", "EDITOR", "ADMIN"] as const;
const FIELDS = ["name", "role", "channelIds", "telegramUserId"];

/** Creates a token, and shows its secret once. */
export function CreateToken({ mayAll, onClose }: { readonly mayAll: boolean; readonly onClose: () => void }) {
  const { t } = useI18n();
  const [secret, setSecret] = useState<string | null>(null);
  const action = useAttempt();
  return secret === null ? (
    // Without the dialog, the secret of a token that is being created would be lost.
    <Dialog title={t("settings.tokens.create")} onClose={action.isBusy ? null : onClose}>
      <TokenForm mayAll={mayAll} action={action} onCreated={setSecret} />
    </Dialog>
  ) : (
    <SecretShown
      title={t("settings.tokens.made")}
      label={t("settings.tokens.secret")}
      hint={t("settings.tokens.secretHint")}
      secret={secret}
      onClose={onClose}
    />
  );
}

function TokenForm(props: {
  readonly mayAll: boolean;
  readonly action: Attempt;
  readonly onCreated: (secret: string) => void;
}) {
  const { problem, isBusy, attempt } = props.action;
  const { t } = useI18n();
  const [wrongName, setWrongName] = useState(false);
  const [wrongUser, setWrongUser] = useState(false);
  const [create] = useMutation(CREATE_TOKEN, {
    update(cache, { data }) {
      const result = data?.createApiToken;
      if (result?.__typename !== "CreateApiTokenSuccess") return;
      appendTo(cache, "apiTokens", result.apiToken);
    },
  });
  function submit(form: HTMLFormElement): void {
    const data = new FormData(form);
    const name = String(data.get("name")).trim();
    const user = String(data.get("telegramUserId")).trim();
    const isWrongUser = !/^\d*$/.test(user);
    setWrongName(name === "");
    setWrongUser(isWrongUser);
    if (name === "" || isWrongUser) return;
    const role = ROLES.find((one) => one === data.get("role")) ?? "VIEWER";
    void attempt(async () => {
      const input = {
        name,
        role,
        channelIds: chosenChannels(data),
        ...(user !== "" && { telegramUserId: Number(user) }),
      };
      const result = requireResult((await create({ variables: { input } })).data?.createApiToken);
      if (result.__typename !== "CreateApiTokenSuccess") return result;
      props.onCreated(result.secret);
      return null;
    });
  }
  return (
    <DialogForm
      problem={problem}
      fields={FIELDS}
      isBusy={isBusy}
      submit={t("settings.tokens.create")}
      onSubmit={submit}
    >
      <Field
        name="name"
        label={t("settings.tokens.name")}
        hint={t("settings.tokens.nameHint")}
        required
        maxLength={100}
        autoComplete="off"
        problem={problem}
        wrong={wrongName ? t("settings.tokens.nameRequired") : undefined}
      />
      <fieldset className="choice">
        <legend>{t("settings.tokens.role")}</legend>
        {ROLES.map((role) => (
          <label key={role} className="check">
            <input type="radio" name="role" value={role} defaultChecked={role === "VIEWER"} />
            <span>
              <strong>{t(`role.${role}`)}</strong>{" "}
              <span className="muted">{t(`settings.tokens.roles.${role}`)}</span>
            </span>
          </label>
        ))}
        {fieldProblem(problem, "role") && <p className="field-problem">{fieldProblem(problem, "role")}</p>}
      </fieldset>
      <ChannelChoice initial={null} mayAll={props.mayAll} problem={problem} />
      <Field
        name="telegramUserId"
        label={t("settings.tokens.user")}
        hint={t("settings.tokens.userHint")}
        inputMode="numeric"
        pattern="\d*"
        autoComplete="off"
        problem={problem}
        wrong={wrongUser ? t("settings.tokens.wrongUser") : undefined}
      />
    </DialogForm>
  );
}
