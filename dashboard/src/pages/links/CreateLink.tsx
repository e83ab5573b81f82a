import { useApolloClient, useMutation } from "@apollo/client/react";
import { useState } from "react";
import { uuidv7 } from "uuidv7";
import { evictLists } from "../../api/cache.js";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { toast } from "../../ui/toast.js";
import { refetchAfter } from "./afterRefusal.js";
import { copyText } from "./copyText.js";
import { LinkForm, type LinkValues } from "./LinkForm.js";
import { LINK_ROW, type ShownLink } from "./LinkRow.js";
import type { TAG_CHOICE } from "./TagPicker.js";

const CREATE = graphql(`
  mutation CreateLink($input: CreateInviteLinkInput!) {
    createInviteLink(input: $input) {
      __typename
      ... on CreateInviteLinkSuccess {
        inviteLink {
          ...LinkRow
          channel {
            ...BotNotice
          }
        }
      }
      ...Problem
    }
  }
`);

export default function CreateLink(props: {
  readonly currency: string;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  /** Whether the filter may hide the new link. */
  readonly isHidden: boolean;
  readonly onShow: () => void;
  readonly onQr: (link: ShownLink) => void;
  readonly onClose: () => void;
}) {
  const { currency, tagChoices, isHidden, onShow, onQr, onClose } = props;
  const { t } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  // The key stays the same while the form is open, so that all retries together create one link.
  const [idempotencyKey] = useState(uuidv7);
  const [create] = useMutation(CREATE, { update: evictLists });
  const { problem, isBusy, attempt } = useAttempt();
  const submit = (values: LinkValues) =>
    attempt(async () => {
      const { data } = await create({ variables: { input: { channelId, idempotencyKey, ...values } } });
      const result = requireResult(data?.createInviteLink);
      if (result.__typename !== "CreateInviteLinkSuccess") {
        refetchAfter(client, result);
        return result;
      }
      const link = read(LINK_ROW, result.inviteLink);
      onClose();
      toast({
        message: t("links.created", { name: values.name }),
        actions: [
          { label: t("links.copyLink"), run: () => void copyText(link.url) },
          { label: t("links.qr"), run: () => onQr(link) },
          ...(isHidden ? [{ label: t("links.showIt"), run: onShow }] : []),
        ],
      });
      return null;
    });
  return (
    <Dialog title={t("links.create")} onClose={onClose}>
      <LinkForm
        currency={currency}
        tagChoices={tagChoices}
        initial={null}
        submit={t("links.create")}
        problem={problem}
        isBusy={isBusy}
        onSubmit={submit}
      />
    </Dialog>
  );
}
