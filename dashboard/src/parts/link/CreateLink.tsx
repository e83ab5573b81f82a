import { useApolloClient, useMutation } from "@apollo/client/react";
import { useState } from "react";
import { uuidv7 } from "uuidv7";
import { failureOf } from "../../api/failure.js";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { created, updateLists } from "../../api/listUpdates.js";
import {
  isOutcomeUnknown,
  PROBLEM,
  type ProblemView,
  requireResult,
  useAttempt,
} from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { toast } from "../../ui/toast.js";
import { useCopied } from "../../ui/useCopied.js";
import { refetchAfter } from "./afterRefusal.js";
import { LinkForm, type LinkValues } from "./LinkForm.js";
import { forget, type LostCreation, remember } from "./lostCreations.js";
import { BY_PEOPLE, isSamePolicy, type Policy, PolicyFields, readPolicy, useSetPolicy } from "./policy.js";
import { SHOWN_LINK, type ShownLink } from "./shownLink.js";
import type { TAG_CHOICE } from "./TagPicker.js";
import { useUncertainCreations } from "./UncertainCreations.js";
import { why } from "./why.js";

const CREATE = graphql(`
  mutation CreateLink($input: CreateInviteLinkInput!) {
    createInviteLink(input: $input) {
      __typename
      ... on CreateInviteLinkSuccess {
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

export default function CreateLink(props: {
  readonly currency: string;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  /** Whether the filter may hide the new link. */
  readonly isHidden: boolean;
  /** What to begin with, that of another link. */
  readonly copied?: Pick<LostCreation, "values" | "policy">;
  /** A creation whose answer was lost, to be repeated; null for a new one. */
  readonly again: LostCreation | null;
  readonly onShow: () => void;
  readonly onQr: (link: ShownLink) => void;
  /** Edits the new link, where a page can. */
  readonly onEdit?: (link: ShownLink) => void;
  readonly onClose: () => void;
}) {
  const { currency, tagChoices, isHidden, again, copied, onShow, onQr, onEdit, onClose } = props;
  const { t } = useI18n();
  const [, copy] = useCopied();
  const { channelId, isAdmin } = useChannel();
  const uncertain = useUncertainCreations();
  const client = useApolloClient();
  // The key stays the same while the form is open, so that all retries together create one link.
  const [idempotencyKey] = useState(again?.idempotencyKey ?? uuidv7());
  const [create] = useMutation(CREATE);
  const { problem, isBusy, attempt } = useAttempt();
  const [setPolicy] = useSetPolicy();
  const start = again ?? copied;
  /** @returns why who decides was not set; null if it was */
  async function setDecider(link: ShownLink, policy: Policy): Promise<ProblemView | null> {
    try {
      const { data } = await setPolicy({ variables: { input: { inviteLinkId: link.id, ...policy } } });
      const result = requireResult(data?.setJoinRequestPolicy);
      return result.__typename === "SetJoinRequestPolicySuccess" ? null : read(PROBLEM, result);
    } catch (error) {
      return failureOf(error);
    }
  }
  const submit = (values: LinkValues, form: HTMLFormElement) =>
    attempt(async () => {
      const policy = readPolicy(form) ?? BY_PEOPLE;
      const { data } = await create({ variables: { input: { channelId, idempotencyKey, ...values } } });
      const result = requireResult(data?.createInviteLink);
      if (result.__typename !== "CreateInviteLinkSuccess") {
        refetchAfter(client, result);
        // Administrators see all such creations on the page.
        if (!isAdmin && isOutcomeUnknown(read(PROBLEM, result)))
          remember({ idempotencyKey, channelId, values, policy });
        return result;
      }
      forget(idempotencyKey);
      const link = read(SHOWN_LINK, result.inviteLink);
      updateLists(client, channelId, created(link.id));
      // A policy can be set only for a link that exists.
      const failed = isSamePolicy(policy, BY_PEOPLE) ? null : await setDecider(link, policy);
      onClose();
      if (failed) {
        toast({
          message: t("requests.notSet", { name: values.name, reason: why(failed, t) }),
          isProblem: true,
          actions: onEdit ? [{ label: t("links.edit"), run: () => onEdit(link) }] : [],
        });
        return null;
      }
      toast({
        message: t("form.created", { name: values.name }),
        actions: [
          { label: t("links.copyLink"), run: () => copy(link.url) },
          { label: t("links.qr"), run: () => onQr(link) },
          ...(isHidden ? [{ label: t("form.showIt"), run: onShow }] : []),
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
        values={start?.values ?? null}
        uncertainNames={again ? [] : uncertain.map(({ name }) => name)}
        submit={t("links.create")}
        problem={problem}
        isBusy={isBusy}
        onSubmit={submit}
      >
        <PolicyFields policy={start?.policy ?? BY_PEOPLE} problem={null} />
      </LinkForm>
    </Dialog>
  );
}
