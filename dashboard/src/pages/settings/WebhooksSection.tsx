import { useMutation, useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { WebhookRowFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { ChannelList } from "../../parts/ChannelChoice.js";
import { Confirm } from "../../parts/Confirm.js";
import { Loading } from "../../parts/Loading.js";
import { Icon } from "../../ui/Icon.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import { Deliveries } from "./Deliveries.js";
import { Section } from "./Section.js";
import { UPDATE_WEBHOOK, WebhookDialog } from "./WebhookDialog.js";

const WEBHOOK_ROW = graphql(`
  fragment WebhookRow on Webhook {
    id
    url
    format
    eventTypes
    channelIds
    holdSeconds
    isEnabled
    disabledReason
  }
`);

const WEBHOOKS = graphql(`
  query Webhooks {
    webhooks {
      ...WebhookRow
    }
  }
`);

const DELETE_WEBHOOK = graphql(`
  mutation DeleteWebhook($input: DeleteWebhookInput!) {
    deleteWebhook(input: $input) {
      __typename
      ... on DeleteWebhookSuccess {
        deletedWebhookId
      }
      ...Problem
    }
  }
`);

export type Webhook = WebhookRowFragment;

type OpenDialog =
  | { readonly kind: "create" }
  | { readonly kind: "edit" | "delete"; readonly webhook: Webhook };

/** Whom the server tells of events, and what became of it. */
export default function WebhooksSection({ mayAll }: { readonly mayAll: boolean }) {
  const { t } = useI18n();
  const { data, error, refetch } = useQuery(WEBHOOKS, { fetchPolicy: "cache-and-network" });
  const { dialog, open, close } = useOpenDialog<OpenDialog>();
  return (
    <Section
      title={t("settings.sections.webhooks")}
      hint={t("settings.webhooks.hint")}
      action={
        <button type="button" className="primary" onClick={() => open({ kind: "create" })}>
          <Icon name="plus" /> {t("settings.webhooks.create")}
        </button>
      }
    >
      {data === undefined ? (
        <Loading error={error} refetch={refetch} />
      ) : data.webhooks.length === 0 ? (
        <p className="card nothing">{t("settings.webhooks.none")}</p>
      ) : (
        <ul className="card things">
          {data.webhooks.map((row) => {
            const webhook = read(WEBHOOK_ROW, row);
            return (
              <WebhookRow
                key={webhook.id}
                webhook={webhook}
                onEdit={() => open({ kind: "edit", webhook })}
                onDelete={() => open({ kind: "delete", webhook })}
              />
            );
          })}
        </ul>
      )}
      {dialog?.kind === "create" && <WebhookDialog webhook={null} mayAll={mayAll} onClose={close} />}
      {dialog?.kind === "edit" && <WebhookDialog webhook={dialog.webhook} mayAll={mayAll} onClose={close} />}
      {dialog?.kind === "delete" && <DeleteWebhook webhook={dialog.webhook} onClose={close} />}
    </Section>
  );
}

function WebhookRow(props: {
  readonly webhook: Webhook;
  readonly onEdit: () => void;
  readonly onDelete: () => void;
}) {
  const { webhook, onEdit, onDelete } = props;
  const { t } = useI18n();
  const [update] = useMutation(UPDATE_WEBHOOK);
  const { problem, isBusy, attempt } = useAttempt();
  const [isOpen, setIsOpen] = useState(false);
  const { id, url, format, eventTypes, channelIds, isEnabled, disabledReason } = webhook;
  const switchIt = () =>
    attempt(async () => {
      const { data } = await update({ variables: { input: { id, isEnabled: !isEnabled } } });
      const result = requireResult(data?.updateWebhook);
      return result.__typename === "UpdateWebhookSuccess" ? null : result;
    });
  return (
    <li>
      <div className="thing">
        <p className="thing-name">
          <code>{url}</code>{" "}
          <span className="badge" data-kind={isEnabled ? "good" : "ended"}>
            {isEnabled ? t("settings.webhooks.on") : t("settings.webhooks.off")}
          </span>
        </p>
        <p className="small muted">
          {t(`settings.webhooks.formats.${format}`)} · <ChannelList ids={channelIds} />
        </p>
        <p className="small muted">
          {eventTypes.map((type) => t(`settings.webhooks.events.${type}`)).join(", ")}
        </p>
        {disabledReason !== null && (
          <p className="problem">
            <Icon name="alert" /> {t("settings.webhooks.disabled", { reason: disabledReason ?? "" })}
          </p>
        )}
        {problem && <Problem problem={problem} />}
      </div>
      <div className="thing-buttons">
        <button
          type="button"
          aria-label={t(isEnabled ? "settings.webhooks.switchOffOf" : "settings.webhooks.switchOnOf", {
            name: url,
          })}
          aria-disabled={isBusy}
          onClick={() => void switchIt()}
        >
          {isEnabled ? t("settings.webhooks.switchOff") : t("settings.webhooks.switchOn")}
        </button>
        <button type="button" aria-label={t("settings.editOf", { name: url })} onClick={onEdit}>
          {t("links.edit")}
        </button>
        <button
          type="button"
          className="danger"
          aria-label={t("settings.deleteOf", { name: url })}
          onClick={onDelete}
        >
          {t("settings.delete")}
        </button>
      </div>
      <details className="deliveries" onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
        <summary>{t("settings.deliveries.title")}</summary>
        {isOpen && <Deliveries webhookId={id} />}
      </details>
    </li>
  );
}

function DeleteWebhook({ webhook, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const { t } = useI18n();
  const [remove] = useMutation(DELETE_WEBHOOK, {
    update(cache, { data }) {
      if (data?.deleteWebhook.__typename !== "DeleteWebhookSuccess") return;
      cache.evict({ id: cache.identify({ __typename: "Webhook", id: webhook.id }) ?? "" });
      cache.gc();
    },
  });
  const { problem, isBusy, attempt } = useAttempt();
  const submit = () =>
    attempt(async () => {
      const { data } = await remove({ variables: { input: { id: webhook.id } } });
      const result = requireResult(data?.deleteWebhook);
      if (result.__typename !== "DeleteWebhookSuccess") return result;
      onClose();
      toast({ message: t("settings.webhooks.deleted") });
      return null;
    });
  return (
    <Confirm
      title={t("settings.webhooks.deleteTitle")}
      action={t("settings.delete")}
      problem={problem}
      isBusy={isBusy}
      onConfirm={submit}
      onClose={onClose}
    >
      <p className="address-line">
        <code>{webhook.url}</code>
      </p>
      <p>{t("settings.webhooks.deleteHint")}</p>
    </Confirm>
  );
}
