import { useApolloClient, useMutation } from "@apollo/client/react";
import { graphql } from "../../api/gql/index.js";
import { revoked, updateLists } from "../../api/listUpdates.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { toast } from "../../ui/toast.js";
import { Confirm } from "../Confirm.js";
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
  const name = link.name ?? t("links.unnamed");
  const submit = () =>
    attempt(async () => {
      const { data } = await revoke({ variables: { input: { id: link.id } } });
      const result = requireResult(data?.revokeInviteLink);
      if (result.__typename !== "RevokeInviteLinkSuccess") {
        refetchAfter(client, result);
        return result;
      }
      updateLists(client, channelId, revoked(link.id));
      onClose();
      toast({ message: t("form.revoked", { name }) });
      return null;
    });
  return (
    <Confirm
      title={t("form.revokeTitle", { name })}
      action={t("links.revoke")}
      problem={problem}
      isBusy={isBusy}
      onConfirm={submit}
      onClose={onClose}
    >
      <p>{t("form.revokeHint")}</p>
    </Confirm>
  );
}
