import { useMutation } from "@apollo/client/react";
import { useState } from "react";
import { uuidv7 } from "uuidv7";
import { evictLists, requireResult } from "./client.js";
import { Dialog } from "./Dialog.js";
import { fromLocal, toLocal } from "./format.js";
import type { LinkFieldsFragment, UpdateInviteLinkInput } from "./gql/graphql.js";
import { type FragmentType, graphql, read } from "./gql/index.js";
import { LINK_FIELDS, LinkForm, type LinkValues } from "./LinkForm.js";
import { Problem, useAttempt, useCountdown } from "./Problem.js";
import type { TAG_CHOICE } from "./TagPicker.js";

const CREATE = graphql(`
  mutation CreateLink($input: CreateInviteLinkInput!) {
    createInviteLink(input: $input) {
      __typename
      ... on CreateInviteLinkSuccess {
        inviteLink {
          ...LinkRow
        }
      }
      ...Problem
    }
  }
`);

const UPDATE = graphql(`
  mutation UpdateLink($input: UpdateInviteLinkInput!) {
    updateInviteLink(input: $input) {
      __typename
      ... on UpdateInviteLinkSuccess {
        inviteLink {
          ...LinkRow
        }
      }
      ...Problem
    }
  }
`);

const REVOKE = graphql(`
  mutation RevokeLink($input: RevokeInviteLinkInput!) {
    revokeInviteLink(input: $input) {
      __typename
      ... on RevokeInviteLinkSuccess {
        inviteLink {
          ...LinkRow
        }
      }
      ...Problem
    }
  }
`);

interface FormProps {
  readonly currency: string;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly onDone: (message: string) => void;
  readonly onClose: () => void;
}

export function CreateLink(props: FormProps & { readonly channelId: number }) {
  const { channelId, onDone, ...form } = props;
  // The key stays the same while the form is open, so that all retries together create one link.
  const [idempotencyKey] = useState(uuidv7);
  const [create] = useMutation(CREATE, { update: evictLists });
  const { problem, isBusy, attempt } = useAttempt();
  const submit = (values: LinkValues) =>
    attempt(async () => {
      const { data } = await create({ variables: { input: { channelId, idempotencyKey, ...values } } });
      const result = requireResult(data?.createInviteLink);
      if (result.__typename !== "CreateInviteLinkSuccess") return result;
      onDone(`“${values.name}” was created.`);
      return null;
    });
  return (
    <Dialog title="New link" onClose={props.onClose}>
      <LinkForm
        {...form}
        initial={null}
        submit="Create link"
        problem={problem}
        isBusy={isBusy}
        onSubmit={submit}
      />
    </Dialog>
  );
}

/** Only the properties that changed, so that Telegram is called only if one of its own properties changed. */
function changesOf(link: LinkFieldsFragment, values: LinkValues): UpdateInviteLinkInput {
  const { name, budget, expireDate, memberLimit, createsJoinRequest, tagIds } = values;
  const before = link.tags.map(({ id }) => id);
  // The form field has no seconds. An unchanged date is not sent, so that its seconds are kept.
  const isSameExpiry = expireDate === fromLocal(toLocal(link.expireDate));
  return {
    id: link.id,
    ...(name !== (link.name ?? "") && { name: name === "" ? null : name }),
    ...(budget !== link.budget && { budget }),
    ...(!isSameExpiry && { expireDate }),
    ...(memberLimit !== (link.memberLimit ?? null) && { memberLimit }),
    ...(link.isBotCreated && createsJoinRequest !== link.createsJoinRequest && { createsJoinRequest }),
    ...((tagIds.length !== before.length || tagIds.some((id) => !before.includes(id))) && { tagIds }),
  };
}

export function EditLink(props: FormProps & { readonly link: FragmentType<typeof LINK_FIELDS> }) {
  const { onDone, ...form } = props;
  const link = read(LINK_FIELDS, props.link);
  const [update] = useMutation(UPDATE, { update: evictLists });
  const { problem, isBusy, attempt } = useAttempt();
  const submit = (values: LinkValues) =>
    attempt(async () => {
      const { data } = await update({ variables: { input: changesOf(link, values) } });
      const result = requireResult(data?.updateInviteLink);
      if (result.__typename !== "UpdateInviteLinkSuccess") return result;
      onDone(`“${values.name}” was changed.`);
      return null;
    });
  return (
    <Dialog title={`Edit ${link.name ?? "a link"}`} onClose={props.onClose}>
      <LinkForm {...form} initial={link} submit="Save" problem={problem} isBusy={isBusy} onSubmit={submit} />
    </Dialog>
  );
}

export function RevokeLink(props: {
  readonly id: string;
  readonly name: string;
  readonly onDone: (what: string) => void;
  readonly onClose: () => void;
}) {
  const { id, name, onDone, onClose } = props;
  const [revoke] = useMutation(REVOKE, { update: evictLists });
  const { problem, isBusy, attempt } = useAttempt();
  const secondsLeft = useCountdown(problem);
  const submit = () =>
    attempt(async () => {
      const { data } = await revoke({ variables: { input: { id } } });
      const result = requireResult(data?.revokeInviteLink);
      if (result.__typename !== "RevokeInviteLinkSuccess") return result;
      onDone(`“${name}” was revoked.`);
      return null;
    });
  return (
    <Dialog title={`Revoke ${name}?`} onClose={onClose}>
      {problem && <Problem problem={problem} secondsLeft={secondsLeft} />}
      <p>Nobody can join by this link any more. Revoking cannot be undone. The budget and tags are kept.</p>
      <footer className="dialog-foot">
        <button type="button" onClick={onClose}>
          Keep it
        </button>
        <button
          type="button"
          className="primary danger"
          disabled={isBusy || secondsLeft > 0}
          onClick={submit}
        >
          {isBusy ? "One moment …" : "Revoke for good"}
        </button>
      </footer>
    </Dialog>
  );
}
