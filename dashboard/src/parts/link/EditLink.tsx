import type { ApolloClient } from "@apollo/client";
import { useApolloClient } from "@apollo/client/react";
import { uuidv7 } from "uuidv7";
import { messageOf } from "../../api/failure.js";
import type { UpdateInviteLinkInput } from "../../api/gql/graphql.js";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { retagged, updateLists } from "../../api/listUpdates.js";
import { PROBLEM, reasonOf, requireResult, useAttempt } from "../../api/problems.js";
import { type I18n, useI18n } from "../../i18n/index.js";
import { fromLocal, toLocal } from "../../i18n/zone.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { toast } from "../../ui/toast.js";
import { refetchAfter } from "./afterRefusal.js";
import { LinkForm, type LinkValues } from "./LinkForm.js";
import { BY_PEOPLE, isSamePolicy, PolicyFields, readPolicy, useLinkPolicy, useSetPolicy } from "./policy.js";
import type { ShownLink } from "./shownLink.js";
import type { TAG_CHOICE } from "./TagPicker.js";

const UPDATE = graphql(`
  mutation UpdateLink($input: UpdateInviteLinkInput!) {
    updateInviteLink(input: $input) {
      __typename
      ... on UpdateInviteLinkSuccess {
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

/** Only the properties that changed, so that Telegram is called only if one of its own properties changed. */
function changesOf(link: ShownLink, values: LinkValues, timeZone: string): Omit<UpdateInviteLinkInput, "id"> {
  const { name, budget, expireDate, memberLimit, createsJoinRequest, tagIds } = values;
  const before = link.tags.map(({ id }) => id);
  // The form field has no seconds. An unchanged date is not sent, so that its seconds are kept.
  const isSameExpiry = expireDate === fromLocal(toLocal(link.expireDate, timeZone), timeZone);
  return {
    ...(name !== (link.name ?? "") && { name: name === "" ? null : name }),
    ...(Number(budget) !== Number(link.budget) && { budget }),
    ...(!isSameExpiry && { expireDate }),
    ...(memberLimit !== (link.memberLimit ?? null) && { memberLimit }),
    ...(createsJoinRequest !== link.createsJoinRequest && { createsJoinRequest }),
    ...((tagIds.length !== before.length || tagIds.some((id) => !before.includes(id))) && { tagIds }),
  };
}

type Changes = ReturnType<typeof changesOf>;

/** Whether only what is stored here changed, and nothing that Telegram stores. */
const isLocal = ({ budget: _budget, tagIds: _tagIds, ...others }: Changes): boolean =>
  Object.keys(others).length === 0;

/** The edit that takes a change back; null if there is none, or if it would have to be made in Telegram again. */
function inverseOf(link: ShownLink, changes: Changes): Changes | null {
  if (!isLocal(changes) || Object.keys(changes).length === 0) return null;
  return {
    ...(changes.budget !== undefined && { budget: link.budget }),
    ...(changes.tagIds !== undefined && { tagIds: link.tags.map(({ id }) => id) }),
  };
}

/** Sends an edit. What is stored here alone is shown at once; updateLists says why. */
async function send(client: ApolloClient, channelId: number, { id, ...changes }: UpdateInviteLinkInput) {
  const { cache } = client;
  const { budget, tagIds } = changes;
  const guess = isLocal(changes) ? uuidv7() : null;
  if (guess !== null)
    cache.batch({
      optimistic: guess,
      update: () =>
        cache.modify({
          id: `InviteLink:${id}`,
          fields: {
            budget: (before) => budget ?? before,
            tags: (before, { toReference }) =>
              tagIds?.map((tag) => toReference({ __typename: "Tag", id: tag })) ?? before,
          },
        }),
    });
  try {
    const { data } = await client.mutate({ mutation: UPDATE, variables: { input: { id, ...changes } } });
    const result = requireResult(data?.updateInviteLink);
    if (result.__typename === "UpdateInviteLinkSuccess")
      updateLists(client, channelId, guess === null ? undefined : retagged);
    return result;
  } finally {
    if (guess !== null) cache.removeOptimistic(guess);
  }
}

/** Takes a change back, and says why where that is refused. It may happen long after the form was closed. */
async function undo(
  client: ApolloClient,
  channelId: number,
  input: UpdateInviteLinkInput,
  name: string,
  t: I18n["t"],
) {
  const sayWhy = (reason: string) =>
    toast({ message: t("form.undoRefused", { name, reason }), isProblem: true });
  try {
    const result = await send(client, channelId, input);
    if (result.__typename === "UpdateInviteLinkSuccess") toast({ message: t("form.undone", { name }) });
    else sayWhy(reasonOf(read(PROBLEM, result)));
  } catch (error) {
    sayWhy(messageOf(error, t("common.unreachable")));
  }
}

export default function EditLink(props: {
  readonly link: ShownLink;
  readonly currency: string;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly onClose: () => void;
}) {
  const { link, currency, tagChoices, onClose } = props;
  const { t } = useI18n();
  const { channelId, timeZone } = useChannel();
  const client = useApolloClient();
  const [setPolicy] = useSetPolicy();
  const { problem, isBusy, attempt } = useAttempt();
  const name = link.name ?? t("links.unnamed");
  // Nobody can decide here the requests by a revoked link, or by one of another administrator.
  const isDecided = link.createsJoinRequest && link.isBotCreated && !link.isRevoked;
  const known = useLinkPolicy(isDecided ? link.id : null);
  const policy = link.createsJoinRequest ? known : BY_PEOPLE;
  const isNewPolicy = (form: HTMLFormElement) => {
    const chosen = readPolicy(form);
    return policy != null && chosen !== null && !isSamePolicy(chosen, policy);
  };
  const submit = (values: LinkValues, form: HTMLFormElement) =>
    attempt(async () => {
      const changes = changesOf(link, values, timeZone);
      const chosen = isNewPolicy(form) ? readPolicy(form) : null;
      if (Object.keys(changes).length > 0) {
        const result = await send(client, channelId, { id: link.id, ...changes });
        if (result.__typename !== "UpdateInviteLinkSuccess") {
          refetchAfter(client, result);
          return result;
        }
      }
      // A link that does not ask for approval any more has no use for a policy.
      if (chosen && values.createsJoinRequest) {
        const { data } = await setPolicy({ variables: { input: { inviteLinkId: link.id, ...chosen } } });
        const result = requireResult(data?.setJoinRequestPolicy);
        if (result.__typename !== "SetJoinRequestPolicySuccess") return result;
      }
      onClose();
      // A changed policy would stay.
      const inverse = chosen ? null : inverseOf(link, changes);
      toast({
        message: t("form.changed", { name: values.name || name }),
        actions: inverse
          ? [
              {
                label: t("common.undo"),
                run: () => void undo(client, channelId, { id: link.id, ...inverse }, values.name || name, t),
              },
            ]
          : [],
      });
      return null;
    });
  return (
    <Dialog title={t("form.editTitle", { name })} onClose={onClose}>
      <LinkForm
        currency={currency}
        tagChoices={tagChoices}
        initial={link}
        isChanged={(values, form) =>
          Object.keys(changesOf(link, values, timeZone)).length > 0 || isNewPolicy(form)
        }
        submit={t("common.save")}
        problem={problem}
        isBusy={isBusy}
        onSubmit={submit}
      >
        {/* Another policy from the network begins anew, so that the one before is not among the user's changes. */}
        {policy && <PolicyFields key={JSON.stringify(policy)} policy={policy} problem={problem} />}
      </LinkForm>
    </Dialog>
  );
}
