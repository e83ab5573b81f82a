import { useMutation } from "@apollo/client/react";
import { type SubmitEvent, useId, useState } from "react";
import type { WebhookEventType, WebhookFormat } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { fieldProblem, requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { appendTo } from "../../parts/appendTo.js";
import { ChannelChoice, chosenChannels } from "../../parts/ChannelChoice.js";
import { Dialog, useCloseDialog } from "../../ui/Dialog.js";
import { Field } from "../../ui/Field.js";
import { Problem } from "../../ui/Problem.js";
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
    <Dialog title={webhook ? t("settings.webhooks.edit") : t("settings.webhooks.create")} onClose={onClose}>
      <WebhookForm
        webhook={webhook}
        mayAll={mayAll}
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

function WebhookForm(props: {
  readonly webhook: Webhook | null;
  readonly mayAll: boolean;
  /** @param secret null if there is none to show */
  readonly onDone: (secret: string | null) => void;
}) {
  const { webhook, mayAll, onDone } = props;
  const { t } = useI18n();
  const close = useCloseDialog();
  const wrongEventsId = useId();
  const [create] = useMutation(CREATE_WEBHOOK, {
    update(cache, { data }) {
      const result = data?.createWebhook;
      if (result?.__typename !== "CreateWebhookSuccess") return;
      appendTo(cache, "webhooks", result.webhook);
    },
  });
  const [update] = useMutation(UPDATE_WEBHOOK);
  const { problem, isBusy, attempt } = useAttempt();
  const [isHeld, setIsHeld] = useState(webhook?.eventTypes.includes("MEMBER_STAYED") ?? false);
  const wrongEvents = fieldProblem(problem, "eventTypes");

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    if (isBusy) return;
    const data = new FormData(event.currentTarget);
    const eventTypes = EVENTS.filter((type) => data.getAll("eventTypes").includes(type));
    const values = {
      url: String(data.get("url")).trim(),
      eventTypes,
      channelIds: chosenChannels(data),
      holdSeconds: eventTypes.includes("MEMBER_STAYED")
        ? Math.round(Number(data.get("holdSeconds")) * HOUR)
        : null,
    };
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
    <form className="fields" noValidate onSubmit={submit}>
      {problem && <Problem problem={problem} fields={FIELDS} />}
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
        />
      )}
      <ChannelChoice initial={webhook?.channelIds ?? null} mayAll={mayAll} problem={problem} />
      <footer className="dialog-foot">
        <button type="button" onClick={close}>
          {t("common.cancel")}
        </button>
        <button type="submit" className="primary" aria-disabled={isBusy}>
          {problem ? t("common.tryAgain") : webhook ? t("common.save") : t("settings.webhooks.create")}
        </button>
      </footer>
    </form>
  );
}
