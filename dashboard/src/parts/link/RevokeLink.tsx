import { useApolloClient, useMutation } from "@apollo/client/react";
import { revoked, updateLists } from "../../api/cache.js";
import { graphql } from "../../api/gql/index.js";
import { requireResult, useAttempt, useCountdown } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import { refetchAfter } from "./afterRefusal.js";
import type { ShownLink } from "./shownLink.js";

export const REVOKE = graphql(`
  mutation RevokeLink($input: RevokeInviteLinkInput!) {
    revokeInviteLink(input: $input) {
      __typename
      ... on RevokeInviteLinkSuccess {
        inviteLink {
          ...ShownLink
          channel {
            ...BotNotice
          }
        }
      }
      ...Problem
    }
  }
`);

export default function RevokeLink(props: { readonly link: ShownLink; readonly onClose: () => void }) {
  const { link, onClose } = props;
  const { t } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const [revoke] = useMutation(REVOKE);
  const { problem, isBusy, attempt } = useAttempt();
  const secondsLeft = useCountdown(problem);
  const name = link.name ?? t("links.unnamed");
  const submit = () => {
    if (secondsLeft > 0) return;
    void attempt(async () => {
      const { data } = await revoke({ variables: { input: { id: link.id } } });
      const result = requireResult(data?.revokeInviteLink);
      if (result.__typename !== "RevokeInviteLinkSuccess") {
        refetchAfter(client, result);
        return result;
      }
      updateLists(client, channelId, revoked(link.id));
      onClose();
      toast({ message: t("links.revoked", { name }) });
      return null;
    });
  };
  return (
    <Dialog title={t("links.revokeTitle", { name })} onClose={onClose}>
      {problem && <Problem problem={problem} />}
      <p>{t("links.revokeHint")}</p>
      <footer className="dialog-foot">
        <button type="button" data-first onClick={onClose}>
          {t("common.cancel")}
        </button>
        <button
          type="button"
          className="primary danger"
          aria-disabled={isBusy || secondsLeft > 0}
          onClick={submit}
        >
          {secondsLeft > 0 ? t("problem.asksToWait", { count: secondsLeft }) : t("links.revoke")}
        </button>
      </footer>
    </Dialog>
  );
}
