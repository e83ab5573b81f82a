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

/** Creations of which Telegram's answer was lost: how many there are, and the ways out of it. */
export function UncertainCreations() {
  const { t, number } = useI18n();
  const { channelId } = useChannel();
  const { data } = useQuery(UNCERTAIN_CREATIONS);
  const [isOpen, setIsOpen] = useState(false);
  const creations = data?.uncertainCreations.filter(({ channel }) => channel.telegramId === channelId) ?? [];
  if (creations.length === 0) return null;
  return (
    <>
      <div role="status" className="notice">
        <Icon name="alert" />
        <span className="spring">
          {t("uncertain.notice", { count: creations.length, shown: number(creations.length) })}
        </span>
        <button type="button" aria-haspopup="dialog" onClick={() => setIsOpen(true)}>
          {t("uncertain.open")}
        </button>
      </div>
      {isOpen && (
        <Dialog title={t("uncertain.title")} onClose={() => setIsOpen(false)}>
          <p className="muted">{t("uncertain.hint")}</p>
          <ul className="uncertain">
            {creations.map((creation) => (
              <Creation
                key={creation.id}
                creation={creation}
                onSettled={() => creations.length === 1 && setIsOpen(false)}
              />
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
        <button type="submit" disabled={isBusy}>
          {t("uncertain.store")}
        </button>
        <button type="button" disabled={isBusy} onClick={() => void settle({ notMade: true })}>
          {t("uncertain.notMade")}
        </button>
      </form>
    </li>
  );
}
