import { useApolloClient, useQuery } from "@apollo/client/react";
import { type SubmitEvent, useState } from "react";
import { retagged, updateLists } from "../../api/cache.js";
import type { SetInviteLinkTagsInput } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { PROBLEM, reasonOf, requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { TAG_CHOICES, TagPicker } from "../../parts/link/TagPicker.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import type { Picked } from "./selection.js";

const SET_TAGS = graphql(`
  mutation SetLinkTags($input: SetInviteLinkTagsInput!) {
    setInviteLinkTags(input: $input) {
      __typename
      ... on SetInviteLinkTagsSuccess {
        inviteLinks {
          id
        }
      }
      ...Problem
    }
  }
`);

/** As many links as one mutation takes. */
const PORTION = 250;

/** The changes that take one back: each link loses or gets only the tags that it really got or lost. */
function inverseOf(
  links: readonly Picked[],
  chosen: readonly string[],
  isAdding: boolean,
): SetInviteLinkTagsInput[] {
  const groups = new Map<string, { readonly ids: string[]; readonly tags: string[] }>();
  for (const { id, tags: before } of links) {
    const tags = chosen.filter((tag) => before.some((one) => one.id === tag) !== isAdding);
    const group = groups.get(tags.join()) ?? { ids: [], tags };
    group.ids.push(id);
    groups.set(tags.join(), group);
  }
  return [...groups.values()]
    .filter(({ tags }) => tags.length > 0)
    .map(({ ids, tags }) => changeOf(ids, tags, !isAdding));
}

const changeOf = (ids: string[], tags: string[], isAdding: boolean): SetInviteLinkTagsInput => ({
  ids,
  addTagIds: isAdding ? tags : [],
  removeTagIds: isAdding ? [] : tags,
});

/** Gives tags to many links, or takes them away. */
export default function TagMany(props: {
  readonly links: readonly Picked[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}) {
  const { links, onDone, onClose } = props;
  const { t, number } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const { data } = useQuery(TAG_CHOICES, { variables: { channelId }, fetchPolicy: "cache-and-network" });
  const { problem, isBusy, attempt } = useAttempt();
  const [isAdding, setIsAdding] = useState(true);
  const [isChosen, setIsChosen] = useState(false);
  const count = links.length;

  /** Each portion is changed as a whole or not at all. @returns what was refused; null after a success */
  async function change(wanted: readonly SetInviteLinkTagsInput[]) {
    try {
      for (const { ids, ...tags } of wanted) {
        for (let at = 0; at < ids.length; at += PORTION) {
          const input = { ids: ids.slice(at, at + PORTION), ...tags };
          const { data: sent } = await client.mutate({ mutation: SET_TAGS, variables: { input } });
          const result = requireResult(sent?.setInviteLinkTags);
          if (result.__typename !== "SetInviteLinkTagsSuccess") return result;
        }
      }
      return null;
    } finally {
      updateLists(client, channelId, retagged);
    }
  }

  async function undo(inverse: readonly SetInviteLinkTagsInput[]): Promise<void> {
    const refused = await change(inverse).catch((error: Error) => error);
    const reason =
      refused === null ? null : refused instanceof Error ? refused.message : reasonOf(read(PROBLEM, refused));
    toast(
      reason === null
        ? { message: t("bulk.tagsUndone") }
        : { message: t("bulk.tagsNotUndone", { reason }), isProblem: true },
    );
  }

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    if (isBusy || !isChosen) return;
    const tags = new FormData(event.currentTarget).getAll("tagIds").map(String);
    void attempt(async () => {
      const ids = links.map(({ id }) => id);
      const refused = await change([changeOf(ids, tags, isAdding)]);
      if (refused) return refused;
      onClose();
      onDone();
      const inverse = inverseOf(links, tags, isAdding);
      toast({
        message: t("bulk.tagged", { count, shown: number(count) }),
        actions: inverse.length > 0 ? [{ label: t("common.undo"), run: () => void undo(inverse) }] : [],
      });
      return null;
    });
  }

  return (
    <Dialog title={t("bulk.tagTitle", { count, shown: number(count) })} onClose={onClose}>
      <form
        className="fields"
        onSubmit={submit}
        onInput={({ currentTarget }) => setIsChosen(new FormData(currentTarget).has("tagIds"))}
      >
        {problem && <Problem problem={problem} />}
        <fieldset>
          <legend className="hidden">{t("bulk.tagAction")}</legend>
          <div className="segments" data-transient>
            {[true, false].map((adds) => (
              <label key={String(adds)}>
                <input
                  type="radio"
                  name="action"
                  checked={isAdding === adds}
                  onChange={() => setIsAdding(adds)}
                />
                <span>{adds ? t("bulk.add") : t("bulk.remove")}</span>
              </label>
            ))}
          </div>
        </fieldset>
        {data && <TagPicker choices={data.inviteLinks.facets} chosen={new Set()} problem={null} />}
        <footer className="dialog-foot">
          <button type="button" onClick={onClose}>
            {t("common.cancel")}
          </button>
          <button type="submit" className="primary" aria-disabled={isBusy || !isChosen}>
            {t("bulk.apply", { count, shown: number(count) })}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
