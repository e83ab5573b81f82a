import { useApolloClient, useMutation, useQuery } from "@apollo/client/react";
import { type SubmitEvent, useState } from "react";
import type { TagsQuery } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { updateLists } from "../../api/listUpdates.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useView } from "../../parts/filter/useView.js";
import { readView, withoutTag } from "../../parts/filter/view.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { Field } from "../../ui/Field.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { Name } from "../../ui/Name.js";
import { Problem } from "../../ui/Problem.js";
import { TagChip } from "../../ui/TagChip.js";

/** Facets contain every tag, with the number of links that would lose it if it were deleted. */
const TAGS = graphql(`
  query Tags($channelId: TelegramID!) {
    tagTypes {
      id
      name
    }
    inviteLinks(channelId: $channelId, first: 0) {
      facets {
        type {
          id
          name
        }
        tags {
          count
          tag {
            id
            name
            color
            ...TagChip
          }
        }
      }
    }
  }
`);

const CREATE_TAG = graphql(`
  mutation CreateTag($input: CreateTagInput!) {
    createTag(input: $input) {
      __typename
      ... on CreateTagSuccess {
        tag {
          id
          ...TagChip
        }
      }
      ...Problem
    }
  }
`);

const UPDATE_TAG = graphql(`
  mutation UpdateTag($input: UpdateTagInput!) {
    updateTag(input: $input) {
      __typename
      ... on UpdateTagSuccess {
        tag {
          id
          ...TagChip
        }
      }
      ...Problem
    }
  }
`);

const DELETE_TAG = graphql(`
  mutation DeleteTag($input: DeleteTagInput!) {
    deleteTag(input: $input) {
      __typename
      ... on DeleteTagSuccess {
        deletedTagId
      }
      ...Problem
    }
  }
`);

type Type = TagsQuery["tagTypes"][number];
type CountedTag = TagsQuery["inviteLinks"]["facets"][number]["tags"][number];
/** The tag that the form edits; null for a new one. */
type Edited = { readonly type: string; readonly counted: CountedTag } | null;

/** Creates, renames, recolors and deletes the tags of a channel. */
export default function TagsDialog({ onClose }: { readonly onClose: () => void }) {
  const { t, number } = useI18n();
  const { channelId } = useChannel();
  const [edited, setEdited] = useState<Edited>(null);
  /** The last completed action, shown in the dialog: a message behind it would not be read. */
  const [done, setDone] = useState("");
  /** Counts the tags that were created here: after each, the form for a new one begins anew. */
  const [created, setCreated] = useState(0);
  const { changeView } = useView();
  const { data, previousData, error, refetch } = useQuery(TAGS, {
    variables: { channelId },
    fetchPolicy: "cache-and-network",
  });
  const shown = data ?? previousData;
  return (
    <Dialog title={t("tags.title")} onClose={onClose}>
      <p role="status" className={done === "" ? "hidden" : "done"}>
        {done}
      </p>
      {error && <LoadProblem error={error} onRetry={() => void refetch().catch(() => {})} />}
      {shown && shown.tagTypes.length === 0 && <p>{t("tags.noTypes")}</p>}
      {shown && shown.tagTypes.length > 0 && (
        <TagForm
          key={edited?.counted.tag.id ?? created}
          channelId={channelId}
          types={shown.tagTypes}
          edited={edited}
          onDone={(message) => {
            // The form may have been left for that of another tag, which stays.
            setEdited((one) => (one === edited ? null : one));
            if (edited === null) setCreated(created + 1);
            setDone(message);
          }}
          onRemoved={(tag) => {
            // The filter may have been changed since the dialog was left.
            const { groups } = readView(location.search);
            if (groups.some(({ tags }) => tags.includes(tag)))
              changeView({ groups: withoutTag(groups, tag) }, "replace");
          }}
          onCancel={() => setEdited(null)}
        />
      )}
      <div className="tag-list">
        {shown?.inviteLinks.facets.map(({ type, tags }) => (
          <section key={type.id} aria-label={type.name}>
            <h3>
              <Name>{type.name}</Name>
            </h3>
            <ul className="chips">
              {tags.map((counted) => (
                <li key={counted.tag.id}>
                  <button
                    type="button"
                    className="quiet tag-button"
                    aria-pressed={edited?.counted.tag.id === counted.tag.id}
                    title={t("tags.edit", { name: counted.tag.name })}
                    onClick={() => setEdited({ type: type.id, counted })}
                  >
                    <TagChip tag={counted.tag} />
                    <span className="small muted">
                      {t("chart.links", { count: counted.count, shown: number(counted.count) })}
                    </span>
                  </button>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

const FIELDS = ["name", "color", "tagTypeId"];
const NEW_COLOR = "#4f46e5";

function TagForm(props: {
  readonly channelId: number;
  readonly types: readonly Type[];
  readonly edited: Edited;
  readonly onDone: (message: string) => void;
  /** Called if a tag was deleted or moved to another type. */
  readonly onRemoved: (tag: string) => void;
  readonly onCancel: () => void;
}) {
  const { channelId, types, edited, onDone, onRemoved, onCancel } = props;
  const { t, number } = useI18n();
  const client = useApolloClient();
  const [create] = useMutation(CREATE_TAG);
  const [update] = useMutation(UPDATE_TAG);
  const [remove] = useMutation(DELETE_TAG);
  const { problem, isBusy, attempt } = useAttempt();
  const [isDeleting, setIsDeleting] = useState(false);
  const tag = edited?.counted.tag;
  const [canSave, setCanSave] = useState(tag === undefined);

  function readForm(form: HTMLFormElement) {
    const data = new FormData(form);
    return {
      name: String(data.get("name")).trim(),
      color: String(data.get("color")),
      tagTypeId: String(data.get("tagTypeId")),
    };
  }

  function save(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    if (isBusy || !canSave) return;
    const values = readForm(event.currentTarget);
    void attempt(async () => {
      const result = requireResult(
        edited
          ? (await update({ variables: { input: { id: edited.counted.tag.id, ...values } } })).data?.updateTag
          : (await create({ variables: { input: { channelId, ...values } } })).data?.createTag,
      );
      if (result.__typename !== "CreateTagSuccess" && result.__typename !== "UpdateTagSuccess") return result;
      updateLists(client, channelId);
      if (edited && edited.type !== values.tagTypeId) onRemoved(edited.counted.tag.id);
      const name = values.name;
      onDone(edited ? t("tags.changed", { name }) : t("tags.created", { name }));
      return null;
    });
  }

  const deleteTag = (id: string, name: string) =>
    attempt(async () => {
      const { data } = await remove({ variables: { input: { id } } });
      const result = requireResult(data?.deleteTag);
      if (result.__typename !== "DeleteTagSuccess") return result;
      updateLists(client, channelId);
      onRemoved(id);
      onDone(t("tags.deleted", { name }));
      return null;
    });

  return (
    <form
      className="fields tag-form"
      data-transient
      onSubmit={save}
      onInput={({ currentTarget }) => {
        const { name, color, tagTypeId } = readForm(currentTarget);
        if (tag) setCanSave(name !== tag.name || color !== tag.color || tagTypeId !== edited?.type);
      }}
      aria-label={tag ? t("tags.edit", { name: tag.name }) : t("tags.new")}
    >
      {problem && <Problem problem={problem} fields={FIELDS} />}
      <div className="tag-fields">
        <Field
          name="name"
          label={tag ? t("tags.name") : t("tags.new")}
          defaultValue={tag?.name ?? ""}
          required
          autoComplete="off"
          problem={problem}
        />
        <label className="field">
          {t("tags.type")}
          <select name="tagTypeId" defaultValue={edited?.type ?? types[0]?.id}>
            {types.map(({ id, name }) => (
              <option key={id} value={id} dir="auto">
                {name}
              </option>
            ))}
          </select>
        </label>
        <Field
          name="color"
          label={t("tags.color")}
          type="color"
          defaultValue={tag?.color ?? NEW_COLOR}
          problem={problem}
        />
      </div>
      <footer className="dialog-foot">
        {tag && (
          <>
            {isDeleting ? (
              <button
                type="button"
                className="danger"
                aria-disabled={isBusy}
                onClick={() => deleteTag(tag.id, tag.name)}
              >
                {t("tags.deleteFrom", {
                  count: edited?.counted.count ?? 0,
                  shown: number(edited?.counted.count ?? 0),
                })}
              </button>
            ) : (
              <button type="button" className="danger" onClick={() => setIsDeleting(true)}>
                {t("tags.delete")}
              </button>
            )}
            <button type="button" onClick={onCancel}>
              {t("common.cancel")}
            </button>
          </>
        )}
        <button type="submit" className="primary" aria-disabled={isBusy || !canSave}>
          {tag ? t("common.save") : t("tags.add")}
        </button>
      </footer>
    </form>
  );
}
