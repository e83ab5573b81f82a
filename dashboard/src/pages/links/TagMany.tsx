import { useApolloClient, useQuery } from "@apollo/client/react";
import { type SubmitEvent, useEffect, useRef, useState } from "react";
import { failureOf } from "../../api/failure.js";
import type { SetInviteLinkTagsInput } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { retagged, updateLists } from "../../api/listUpdates.js";
import { PROBLEM, type ProblemView, requireResult } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { TAG_CHOICES, TagPicker } from "../../parts/link/TagPicker.js";
import { why } from "../../parts/link/why.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { isFieldBusy } from "../../ui/DialogForm.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import type { SelectedLink } from "./selection.js";

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
  links: readonly SelectedLink[],
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

const portionsOf = ({ ids, ...tags }: SetInviteLinkTagsInput): SetInviteLinkTagsInput[] =>
  Array.from({ length: Math.ceil(ids.length / PORTION) }, (_, at) => ({
    ids: ids.slice(at * PORTION, (at + 1) * PORTION),
    ...tags,
  }));

/** What came of changes so far. */
interface Changed {
  /** The links that were changed. */
  readonly ids: ReadonlySet<string>;
  /** What takes the changes back, also those of which the answer was lost. */
  readonly inverse: readonly SetInviteLinkTagsInput[];
}

/** Gives tags to many links, or takes them away. */
export default function TagMany(props: {
  readonly links: readonly SelectedLink[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}) {
  const { links, onDone, onClose } = props;
  const { t, number } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const {
    data,
    error: loadError,
    refetch,
  } = useQuery(TAG_CHOICES, {
    variables: { channelId },
    fetchPolicy: "cache-and-network",
  });
  const [problem, setProblem] = useState<ProblemView | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const [isAdding, setIsAdding] = useState(true);
  const [isChosen, setIsChosen] = useState(false);
  const [changed, setChanged] = useState<Changed>({ ids: new Set(), inverse: [] });
  const rest = links.filter(({ id }) => !changed.ids.has(id));
  const count = rest.length;
  const isOpen = useRef(false);
  useEffect(() => {
    isOpen.current = true;
    return () => {
      isOpen.current = false;
    };
  }, []);

  /**
   * Each portion is changed as a whole or not at all.
   * @param goesOn asked before each portion
   * @returns the links that were changed, those that may have been, and the first problem
   */
  async function change(wanted: readonly SetInviteLinkTagsInput[], goesOn: () => boolean) {
    const ids = new Set<string>();
    const touched = new Set<string>();
    let first: ProblemView | null = null;
    for (const input of wanted.flatMap(portionsOf)) {
      if (!goesOn()) break;
      try {
        const { data: sent } = await client.mutate({ mutation: SET_TAGS, variables: { input } });
        const result = requireResult(sent?.setInviteLinkTags);
        if (result.__typename === "SetInviteLinkTagsSuccess") for (const id of input.ids) ids.add(String(id));
        else first ??= read(PROBLEM, result);
      } catch (error) {
        for (const id of input.ids) touched.add(String(id));
        first ??= failureOf(error);
        // All others would fail in the same way.
        break;
      }
    }
    updateLists(client, channelId, retagged);
    return { ids, touched: new Set([...touched, ...ids]), problem: first };
  }

  async function undo(inverse: readonly SetInviteLinkTagsInput[]): Promise<void> {
    const { ids, problem: refused } = await change(inverse, () => true);
    if (refused === null) return toast({ message: t("bulk.tagsUndone") });
    const reason = why(refused, t);
    const total = number(inverse.flatMap((input) => input.ids).length);
    toast({
      message:
        ids.size === 0
          ? t("bulk.tagsNotUndone", { reason })
          : t("bulk.tagsPartlyUndone", { shown: number(ids.size), total, reason }),
      isProblem: true,
    });
  }

  /** Says what was done, and offers to take it back. */
  function tell({ ids, inverse }: Changed): void {
    if (ids.size === 0) return;
    const message =
      ids.size === links.length
        ? t("bulk.tagged", { count: ids.size, shown: number(ids.size) })
        : t("bulk.taggedPart", { shown: number(ids.size), total: number(links.length) });
    const actions = inverse.length > 0 ? [{ label: t("common.undo"), run: () => void undo(inverse) }] : [];
    toast({ message, actions });
  }

  async function submit(event: SubmitEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    if (isBusy || !isChosen) return;
    const tags = new FormData(event.currentTarget).getAll("tagIds").map(String);
    setIsBusy(true);
    setProblem(null);
    const wanted = rest.map(({ id }) => id);
    const result = await change([changeOf(wanted, tags, isAdding)], () => isOpen.current);
    const touched = rest.filter(({ id }) => result.touched.has(id));
    const now = {
      ids: new Set([...changed.ids, ...result.ids]),
      inverse: [...inverseOf(touched, tags, isAdding), ...changed.inverse],
    };
    // The dialog was left meanwhile.
    if (!isOpen.current) return tell(now);
    setChanged(now);
    setProblem(result.problem);
    setIsBusy(false);
    if (result.problem !== null) return;
    onClose();
    onDone();
    tell(now);
  }

  const close = () => {
    onClose();
    if (!isBusy) tell(changed);
  };

  return (
    <Dialog title={t("bulk.tagTitle", { count: links.length, shown: number(links.length) })} onClose={close}>
      <form
        className="fields"
        onSubmit={(event) => void submit(event)}
        onInput={({ currentTarget }) =>
          setIsChosen(new FormData(currentTarget).has("tagIds") && !isFieldBusy(currentTarget))
        }
      >
        {problem && <Problem problem={problem} />}
        {changed.ids.size > 0 && (
          <p role="status" className="notice">
            {t("bulk.taggedPart", { shown: number(changed.ids.size), total: number(links.length) })}
          </p>
        )}
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
        {data ? (
          <TagPicker choices={data.inviteLinks.facets} chosen={new Set()} problem={null} />
        ) : (
          <Loading error={loadError} refetch={refetch} />
        )}
        <footer className="dialog-foot">
          <button type="button" onClick={close}>
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
