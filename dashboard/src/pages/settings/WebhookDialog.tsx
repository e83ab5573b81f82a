import { useMutation } from "@apollo/client/react";
import { useId, useState } from "react";
import type { WebhookEventType, WebhookFormat } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { type Attempt, fieldProblem, requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { appendTo } from "../../parts/appendTo.js";
import { ChannelChoice, chosenChannels } from "../../parts/ChannelChoice.js";
import { Dialog } from "../../ui/Dialog.js";
import { DialogForm } from "../../ui/DialogForm.js";
import { Field } from "../../ui/Field.js";
import { toast } from "../../ui/toast.js";
import { SecretShown } from "./SecretShown.js";
import type { Webhook } from "./WebhooksSection.js";

const CREATE_WEBHOOK = graphql(`
  mutation CreateWebhook($input: CreateWebhookInput!) {
    createWebhook(input: $input) {
      __typename
      ... on CreateWebhookSuccess {
        secret
        webhook {
          ...WebhookRow
        }
      }
      ...Problem
    }
  }
`);

export const UPDATE_WEBHOOK = graphql(`
  mutation UpdateWebhook($input: UpdateWebhookInput!) {
    updateWebhook(input: $input) {
      __typename
      ... on UpdateWebhookSuccess {
        webhook {
          ...WebhookRow
        }
      }
      ...Problem
    }
  }
`);

const EVENTS = [
  "MEMBER_JOINED",
  "MEMBER_STAYED",
  "MEMBER_LEFT",
  "JOIN_REQUESTED",
  "LINK_CREATED",
  "LINK_UPDATED",
  "LINK_REVOKED",
  "BOT_STATUS_CHANGED",
] as const satisfies readonly WebhookEventType[];
const FORMATS = ["STANDARD", "POSTBACK"] as const satisfies readonly WebhookFormat[];
const FIELDS = ["url", "eventTypes", "channelIds", "holdSeconds", "format"];
const HOUR = 3600;

/** Creates a webhook and shows its secret once, or changes one. */
export function WebhookDialog(props: {
  /** Null for a new one. */
  readonly webhook: Webhook | null;
  readonly mayAll: boolean;
  readonly onClose: () => void;
}) {
  const { webhook, mayAll, onClose } = props;
  const { t } = useI18n();
  const [secret, setSecret] = useState<string | null>(null);
  const action = useAttempt();
  if (secret !== null)
    return (
      <SecretShown
        title={t("settings.webhooks.made")}
        label={t("settings.webhooks.secret")}
        hint={t("settings.webhooks.secretHint")}
        secret={secret}
        onClose={onClose}
      />
    );
  return (
    // Without the dialog, the secret of a webhook that is being created would be lost.
    <Dialog
      title={webhook ? t("settings.webhooks.edit") : t("settings.webhooks.create")}
      onClose={action.isBusy ? null : onClose}
    >
      <WebhookForm
        webhook={webhook}
        mayAll={mayAll}
        action={action}
        onDone={(made) => {
          if (made !== null) {
            setSecret(made);
            return;
          }
          onClose();
          toast({ message: webhook ? t("settings.webhooks.changed") : t("settings.webhooks.made") });
        }}
      />
    </Dialog>
  );
}

function valuesOf(data: FormData) {
  const eventTypes = EVENTS.filter((type) => data.getAll("eventTypes").includes(type));
  return {
    url: String(data.get("url")).trim(),
    eventTypes,
    channelIds: chosenChannels(data),
    holdSeconds: eventTypes.includes("MEMBER_STAYED")
      ? Math.round(Number(data.get("holdSeconds")) * HOUR)
      : null,
  };
}

/** Whether a form says the same as a webhook, whose events and channels may be in another order. */
function isSame(values: ReturnType<typeof valuesOf>, webhook: Webhook): boolean {
  const textOf = (list: readonly (string | number)[] | null | undefined) => list && [...list].sort().join();
  return (
    values.url === webhook.url &&
    textOf(values.eventTypes) === textOf(webhook.eventTypes) &&
    textOf(values.channelIds) === (textOf(webhook.channelIds) ?? null) &&
    values.holdSeconds === (webhook.holdSeconds ?? null)
  );
}

function WebhookForm(props: {
  readonly webhook: Webhook | null;
  readonly mayAll: boolean;
  readonly action: Attempt;
  /** @param secret null if there is none to show */
  readonly onDone: (secret: string | null) => void;
}) {
  const { webhook, mayAll, onDone } = props;
  const { problem, isBusy, attempt } = props.action;
  const { t } = useI18n();
  const wrongEventsId = useId();
  const [create] = useMutation(CREATE_WEBHOOK, {
    update(cache, { data }) {
      const result = data?.createWebhook;
      if (result?.__typename !== "CreateWebhookSuccess") return;
      appendTo(cache, "webhooks", result.webhook);
    },
  });
  const [update] = useMutation(UPDATE_WEBHOOK);
  const [isHeld, setIsHeld] = useState(webhook?.eventTypes.includes("MEMBER_STAYED") ?? false);
  const [isWithoutHours, setIsWithoutHours] = useState(false);
  const wrongEvents = fieldProblem(problem, "eventTypes");

  function submit(form: HTMLFormElement): void {
    const data = new FormData(form);
    const values = valuesOf(data);
    // A field with something else than a number is empty, too.
    const lacksHours = values.holdSeconds !== null && data.get("holdSeconds") === "";
    setIsWithoutHours(lacksHours);
    if (lacksHours) return;
    void attempt(async () => {
      if (webhook) {
        const { data: updated } = await update({ variables: { input: { id: webhook.id, ...values } } });
        const result = requireResult(updated?.updateWebhook);
        if (result.__typename !== "UpdateWebhookSuccess") return result;
        onDone(null);
        return null;
      }
      const format = FORMATS.find((one) => one === data.get("format")) ?? "STANDARD";
      const { data: created } = await create({ variables: { input: { ...values, format } } });
      const result = requireResult(created?.createWebhook);
      if (result.__typename !== "CreateWebhookSuccess") return result;
      onDone(result.secret ?? null);
      return null;
    });
  }

  return (
    <DialogForm
      problem={problem}
      fields={FIELDS}
      isBusy={isBusy}
      submit={webhook ? t("common.save") : t("settings.webhooks.create")}
      {...(webhook && {
        isChanged: (form: HTMLFormElement) => !isSame(valuesOf(new FormData(form)), webhook),
      })}
      onSubmit={submit}
    >
      <Field
        name="url"
        label={t("settings.webhooks.url")}
        hint={t("settings.webhooks.urlHint")}
        defaultValue={webhook?.url ?? ""}
        placeholder="https://"
        type="url"
        required
        maxLength={2048}
        autoComplete="off"
        problem={problem}
      />
      {webhook === null && (
        <fieldset className="choice">
          <legend>{t("settings.webhooks.format")}</legend>
          {FORMATS.map((format) => (
            <label key={format} className="check">
              <input type="radio" name="format" value={format} defaultChecked={format === "STANDARD"} />
              <span>
                <strong>{t(`settings.webhooks.formats.${format}`)}</strong>{" "}
                <span className="muted">{t(`settings.webhooks.formatHints.${format}`)}</span>
              </span>
            </label>
          ))}
        </fieldset>
      )}
      <fieldset className="choice" aria-describedby={wrongEvents === null ? undefined : wrongEventsId}>
        <legend>{t("settings.webhooks.tellsOf")}</legend>
        <div className="choice-columns">
          {EVENTS.map((type) => (
            <label key={type} className="check">
              <input
                type="checkbox"
                name="eventTypes"
                value={type}
                defaultChecked={webhook?.eventTypes.includes(type) ?? false}
                {...(type === "MEMBER_STAYED" && {
                  onChange: ({ target }: { target: HTMLInputElement }) => setIsHeld(target.checked),
                })}
              />
              {t(`settings.webhooks.events.${type}`)}
            </label>
          ))}
        </div>
        {wrongEvents !== null && (
          <p id={wrongEventsId} className="field-problem">
            {wrongEvents}
          </p>
        )}
      </fieldset>
      {isHeld && (
        <Field
          name="holdSeconds"
          label={t("settings.webhooks.hold")}
          type="number"
          min={0}
          max={720}
          step="any"
          defaultValue={(webhook?.holdSeconds ?? 24 * HOUR) / HOUR}
          problem={problem}
          wrong={isWithoutHours ? t("settings.webhooks.noHours") : undefined}
        />
      )}
      <ChannelChoice initial={webhook?.channelIds ?? null} mayAll={mayAll} problem={problem} />
    </DialogForm>
  );
}
