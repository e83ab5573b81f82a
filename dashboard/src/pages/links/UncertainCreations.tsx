import { useMutation, useQuery } from "@apollo/client/react";
import { type SubmitEvent, useState } from "react";
import { evictLists } from "../../api/cache.js";
import { graphql } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { Field } from "../../ui/Field.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import { forget, type LostCreation, useLostCreations } from "./lostCreations.js";

const UNCERTAIN_CREATIONS = graphql(`
  query UncertainCreations {
    uncertainCreations {
      id
      name
      budget
      createdAt
      channel {
        id
        telegramId
        currency
      }
    }
  }
`);

const RESOLVE = graphql(`
  mutation ResolveCreation($input: ResolveCreationInput!) {
    resolveCreation(input: $input) {
      __typename
      ... on ResolveCreationSuccess {
        inviteLink {
          ...LinkRow
        }
      }
      ...Problem
    }
  }
`);

/** The creations with an unknown outcome in the channel that is shown; none unless the user may settle them. */
export function useUncertainCreations() {
  const { channelId, isAdmin } = useChannel();
  const { data } = useQuery(UNCERTAIN_CREATIONS, { skip: !isAdmin });
  return data?.uncertainCreations.filter(({ channel }) => channel.telegramId === channelId) ?? [];
}

/**
 * Creations of which Telegram's answer was lost: how many there are, and the ways out of it. Administrators settle all of
 * them. Others see their own, which they can repeat.
 */
export function UncertainCreations({ onRepeat }: { readonly onRepeat: (lost: LostCreation) => void }) {
  const { t, number } = useI18n();
  const { channelId } = useChannel();
  const creations = useUncertainCreations();
  const lost = useLostCreations().filter((one) => one.channelId === channelId);
  const [isOpen, setIsOpen] = useState(false);
  const close = () => setIsOpen(false);
  const count = creations.length + lost.length;
  if (count === 0) return null;
  return (
    <>
      <div role="status" className="notice">
        <Icon name="alert" />
        <span className="spring">{t("uncertain.notice", { count, shown: number(count) })}</span>
        <button type="button" aria-haspopup="dialog" onClick={() => setIsOpen(true)}>
          {t("uncertain.open")}
        </button>
      </div>
      {isOpen && (
        <Dialog title={t("uncertain.title")} onClose={close}>
          <p className="muted">{t("uncertain.hint")}</p>
          <ul className="uncertain">
            {creations.map((creation) => (
              <Creation key={creation.id} creation={creation} onSettled={() => count === 1 && close()} />
            ))}
            {lost.map((one) => (
              <li key={one.idempotencyKey}>
                <h3>
                  <Name>{one.values.name}</Name>
                </h3>
                <p className="small muted">{t("uncertain.askAdmin")}</p>
                <div className="dialog-foot">
                  <button type="button" onClick={() => forget(one.idempotencyKey)}>
                    {t("common.dismiss")}
                  </button>
                  <button
                    type="button"
                    onClick={() => {
                      close();
                      onRepeat(one);
                    }}
                  >
                    {t("common.tryAgain")}
                  </button>
                </div>
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </>
  );
}

function Creation(props: {
  readonly creation: {
    readonly id: string;
    readonly name: string;
    readonly budget: string;
    readonly createdAt: string;
    readonly channel: { readonly currency: string };
  };
  readonly onSettled: () => void;
}) {
  const { creation, onSettled } = props;
  const { t, money, dayAndTime } = useI18n();
  const [resolve] = useMutation(RESOLVE, {
    update(cache) {
      cache.evict({ id: "ROOT_QUERY", fieldName: "uncertainCreations" });
      evictLists(cache);
    },
  });
  const { problem, isBusy, attempt } = useAttempt();
  const settle = (outcome: { readonly url: string } | { readonly notMade: true }) =>
    attempt(async () => {
      const { data } = await resolve({ variables: { input: { id: creation.id, ...outcome } } });
      const result = requireResult(data?.resolveCreation);
      if (result.__typename !== "ResolveCreationSuccess") return result;
      onSettled();
      const { name } = creation;
      toast({ message: result.inviteLink ? t("links.created", { name }) : t("uncertain.dropped", { name }) });
      return null;
    });
  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const url = String(new FormData(event.currentTarget).get("url")).trim();
    if (url !== "" && !isBusy) void settle({ url });
  }
  return (
    <li>
      <h3>
        <Name>{creation.name}</Name>
      </h3>
      <p className="small muted">
        {money(creation.budget, creation.channel.currency)} · {dayAndTime(creation.createdAt)}
      </p>
      {problem && <Problem problem={problem} fields={["url"]} />}
      <form onSubmit={submit}>
        <Field
          name="url"
          label={t("uncertain.url")}
          placeholder="https://t.me/+…"
          autoComplete="off"
          problem={problem}
        />
        <button type="submit" aria-disabled={isBusy}>
          {t("uncertain.store")}
        </button>
        <button type="button" aria-disabled={isBusy} onClick={() => void settle({ notMade: true })}>
          {t("uncertain.notMade")}
        </button>
      </form>
    </li>
  );
}
