import { useMutation, useQuery } from "@apollo/client/react";
import { Link } from "wouter";
import type { ChannelRowFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useAllPages } from "../../api/useAllPages.js";
import { useI18n } from "../../i18n/index.js";
import { AddBot } from "../../parts/AddBot.js";
import { BotState } from "../../parts/BotState.js";
import { ConnectForm } from "../../parts/ConnectForm.js";
import { Loading } from "../../parts/Loading.js";
import { addressFor } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { DialogForm } from "../../ui/DialogForm.js";
import { Field } from "../../ui/Field.js";
import { Icon } from "../../ui/Icon.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { Name } from "../../ui/Name.js";
import { toast } from "../../ui/toast.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import { Section } from "./Section.js";

const CHANNEL_ROW = graphql(`
  fragment ChannelRow on Channel {
    id
    telegramId
    title
    username
    currency
    timeZone
    memberCount
    coverage {
      lastUpdateAt
    }
    ...BotState
  }
`);

const CHANNELS = graphql(`
  query Channels($after: String) {
    channels(first: 50, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          ...ChannelRow
        }
      }
    }
  }
`);

const UPDATE_CHANNEL = graphql(`
  mutation UpdateChannel($input: UpdateChannelInput!) {
    updateChannel(input: $input) {
      __typename
      ... on UpdateChannelSuccess {
        channel {
          ...ChannelRow
        }
      }
      ...Problem
    }
  }
`);

type Channel = ChannelRowFragment;

/** Where the bot makes links, and what it may there. */
export default function ChannelsSection() {
  const { t } = useI18n();
  const { data, error, refetch, fetchMore } = useQuery(CHANNELS, { fetchPolicy: "cache-and-network" });
  const pages = useAllPages(data?.channels, fetchMore);
  /** Without a channel that is edited, the dialog connects one. */
  const { dialog, open, close } = useOpenDialog<{ readonly edited: Channel | null }>();
  return (
    <Section
      title={t("settings.sections.channels")}
      hint={t("settings.channels.hint")}
      action={
        <button type="button" className="primary" onClick={() => open({ edited: null })}>
          <Icon name="plus" /> {t("settings.channels.connect")}
        </button>
      }
    >
      {data === undefined ? (
        <Loading error={error} refetch={refetch} />
      ) : (
        <>
          <ul className="card things">
            {data.channels.edges.map(({ cursor, node }) => (
              <ChannelRow
                key={cursor}
                channel={read(CHANNEL_ROW, node)}
                onEdit={(edited) => open({ edited })}
              />
            ))}
          </ul>
          {pages.error && <LoadProblem error={pages.error} onRetry={pages.retry} />}
        </>
      )}
      {dialog?.edited === null ? (
        <Dialog title={t("settings.channels.connect")} onClose={close}>
          <div className="fields">
            <AddBot />
            <ConnectForm
              onConnected={({ title }) => {
                close();
                refetch().catch(() => {});
                toast({ message: t("settings.channels.connected", { name: title }) });
              }}
            />
          </div>
        </Dialog>
      ) : (
        dialog && <EditChannel channel={dialog.edited} onClose={close} />
      )}
    </Section>
  );
}

function ChannelRow(props: { readonly channel: Channel; readonly onEdit: (channel: Channel) => void }) {
  const { channel, onEdit } = props;
  const { t, number, dayAndTime } = useI18n();
  const { telegramId, title, username, currency, timeZone, memberCount, coverage } = channel;
  const { lastUpdateAt } = coverage;
  return (
    <li>
      <div className="thing">
        <p className="thing-name">
          <Name>{title}</Name>{" "}
          <span className="small muted">{username ? `@${username}` : String(telegramId)}</span>
        </p>
        <p className="small muted">
          {currency} · {timeZone}
          {memberCount != null && (
            <> · {t("settings.channels.members", { count: memberCount, shown: number(memberCount) })}</>
          )}
          {lastUpdateAt != null && (
            <> · {t("settings.channels.lastUpdate", { time: dayAndTime(lastUpdateAt) })}</>
          )}
        </p>
        <BotState channel={channel} checksAlways />
      </div>
      <div className="thing-buttons">
        <Link
          className="button"
          href={addressFor("/start", telegramId)}
          aria-label={t("settings.channels.guideOf", { name: title })}
        >
          {t("settings.channels.guide")}
        </Link>
        <button
          type="button"
          aria-label={t("settings.editOf", { name: title })}
          onClick={() => onEdit(channel)}
        >
          {t("links.edit")}
        </button>
      </div>
    </li>
  );
}

function EditChannel({ channel, onClose }: { readonly channel: Channel; readonly onClose: () => void }) {
  const { t } = useI18n();
  return (
    <Dialog title={t("form.editTitle", { name: channel.title })} onClose={onClose}>
      <ChannelForm channel={channel} onClose={onClose} />
    </Dialog>
  );
}

function ChannelForm({ channel, onClose }: { readonly channel: Channel; readonly onClose: () => void }) {
  const { t } = useI18n();
  const [update] = useMutation(UPDATE_CHANNEL);
  const { problem, isBusy, attempt } = useAttempt();
  const { id, title, currency, timeZone } = channel;
  const valuesOf = (form: HTMLFormElement) => {
    const data = new FormData(form);
    const text = (name: string) => String(data.get(name)).trim();
    return { currency: text("currency").toUpperCase(), timeZone: text("timeZone") };
  };
  const isChanged = (form: HTMLFormElement) => {
    const values = valuesOf(form);
    return values.currency !== currency || values.timeZone !== timeZone;
  };
  const submit = (form: HTMLFormElement) =>
    attempt(async () => {
      const input = { id, ...valuesOf(form) };
      const result = requireResult((await update({ variables: { input } })).data?.updateChannel);
      if (result.__typename !== "UpdateChannelSuccess") return result;
      onClose();
      toast({ message: t("settings.channels.changed", { name: title }) });
      return null;
    });
  return (
    <DialogForm
      problem={problem}
      fields={["currency", "timeZone"]}
      isBusy={isBusy}
      submit={t("common.save")}
      isChanged={isChanged}
      onSubmit={submit}
    >
      <Field
        name="currency"
        label={t("settings.channels.currency")}
        hint={t("settings.channels.currencyHint")}
        defaultValue={currency}
        list="currencies"
        maxLength={3}
        autoComplete="off"
        problem={problem}
      />
      <Field
        name="timeZone"
        label={t("settings.channels.timeZone")}
        hint={t("settings.channels.timeZoneHint")}
        defaultValue={timeZone}
        list="time-zones"
        autoComplete="off"
        problem={problem}
      />
      <datalist id="currencies">
        {Intl.supportedValuesOf("currency").map((code) => (
          <option key={code} value={code} />
        ))}
      </datalist>
      <datalist id="time-zones">
        {Intl.supportedValuesOf("timeZone").map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </DialogForm>
  );
}
