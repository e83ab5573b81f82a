import { useApolloClient, useMutation } from "@apollo/client/react";
import type { SubmitEvent } from "react";
import { graphql } from "../../api/gql/index.js";
import { updateLists } from "../../api/listUpdates.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { Field } from "../../ui/Field.js";
import { Name } from "../../ui/Name.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import { forget, type LostCreation } from "./lostCreations.js";
import type { UncertainCreation } from "./UncertainCreations.js";
import "./link.css";

const RESOLVE = graphql(`
  mutation ResolveCreation($input: ResolveCreationInput!) {
    resolveCreation(input: $input) {
      __typename
      ... on ResolveCreationSuccess {
        inviteLink {
          ...ShownLink
        }
      }
      ...Problem
    }
  }
`);

/** The ways out of creations with an unknown outcome: administrators settle all of them, others repeat their own. */
export default function SettleDialog(props: {
  readonly creations: readonly UncertainCreation[];
  readonly lost: readonly LostCreation[];
  readonly onRepeat: (lost: LostCreation) => void;
  readonly onClose: () => void;
}) {
  const { creations, lost, onRepeat, onClose } = props;
  const { t } = useI18n();
  const count = creations.length + lost.length;
  return (
    <Dialog title={t("settle.title")} onClose={onClose}>
      <p className="muted">{t("settle.hint")}</p>
      <ul className="uncertain">
        {creations.map((creation) => (
          <Creation key={creation.id} creation={creation} onSettled={() => count === 1 && onClose()} />
        ))}
        {lost.map((one) => (
          <li key={one.idempotencyKey}>
            <h3>
              <Name>{one.values.name}</Name>
            </h3>
            <p className="small muted">{t("settle.askAdmin")}</p>
            <div className="dialog-foot">
              <button
                type="button"
                onClick={() => {
                  if (count === 1) onClose();
                  forget(one.idempotencyKey);
                }}
              >
                {t("common.dismiss")}
              </button>
              <button
                type="button"
                onClick={() => {
                  onClose();
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
  );
}

function Creation(props: { readonly creation: UncertainCreation; readonly onSettled: () => void }) {
  const { creation, onSettled } = props;
  const { t, money, dayAndTime } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const [resolve] = useMutation(RESOLVE, {
    update(cache) {
      cache.evict({ id: "ROOT_QUERY", fieldName: "uncertainCreations" });
    },
  });
  const { problem, isBusy, attempt } = useAttempt();
  const settle = (outcome: { readonly url: string } | { readonly notMade: true }) =>
    attempt(async () => {
      const { data } = await resolve({ variables: { input: { id: creation.id, ...outcome } } });
      const result = requireResult(data?.resolveCreation);
      if (result.__typename !== "ResolveCreationSuccess") return result;
      updateLists(client, channelId);
      onSettled();
      const { name } = creation;
      toast({ message: result.inviteLink ? t("form.created", { name }) : t("settle.dropped", { name }) });
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
          label={t("settle.url")}
          placeholder="https://t.me/+…"
          autoComplete="off"
          problem={problem}
        />
        <button type="submit" aria-disabled={isBusy}>
          {t("settle.store")}
        </button>
        <button type="button" aria-disabled={isBusy} onClick={() => void settle({ notMade: true })}>
          {t("settle.notMade")}
        </button>
      </form>
    </li>
  );
}
