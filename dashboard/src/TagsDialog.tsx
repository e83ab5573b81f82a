import { useMutation, useQuery } from "@apollo/client/react";
import { type SubmitEvent, useState } from "react";
import { evictLists, requireResult } from "./client.js";
import { Dialog } from "./Dialog.js";
import { Field } from "./Field.js";
import { number } from "./format.js";
import type { TagsQuery } from "./gql/graphql.js";
import { graphql } from "./gql/index.js";
import { Icon } from "./Icon.js";
import { Problem, useAttempt } from "./Problem.js";
import { TagChip } from "./TagChip.js";
import { useView } from "./useView.js";
import { withoutTag } from "./view.js";

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

/** Creates, renames, recolours and deletes the tags of a channel. */
export function TagsDialog(props: {
  readonly channelId: number;
  readonly onDone: (message: string) => void;
  readonly onClose: () => void;
}) {
  const { channelId, onDone, onClose } = props;
  const [edited, setEdited] = useState<Edited>(null);
  const [view, changeView] = useView();
  const { data, previousData, error } = useQuery(TAGS, { variables: { channelId } });
  const shown = data ?? previousData;
  return (
    <Dialog title="Tags" onClose={onClose}>
      {error && (
        <p role="alert" className="problem">
          {error.message}
        </p>
      )}
      {shown && shown.tagTypes.length === 0 && (
        <p>
          Tags have types, such as Platform or Creative. Create the first one with <code>createTagType</code>.
        </p>
      )}
      {shown && shown.tagTypes.length > 0 && (
        <TagForm
          key={
            edited?.counted.tag.id ?? `new of ${shown.inviteLinks.facets.flatMap(({ tags }) => tags).length}`
          }
          channelId={channelId}
          types={shown.tagTypes}
          edited={edited}
          onDone={(message) => {
            setEdited(null);
            onDone(message);
          }}
          onRemoved={(tag) => changeView({ groups: withoutTag(view.groups, tag) }, "replace")}
          onCancel={() => setEdited(null)}
        />
      )}
      <div className="tag-list">
        {shown?.inviteLinks.facets.map(({ type, tags }) => (
          <section key={type.id} aria-label={type.name}>
            <h3>{type.name}</h3>
            <ul className="chips">
              {tags.map((counted) => (
                <li key={counted.tag.id}>
                  <button
                    type="button"
                    className="quiet tag-button"
                    aria-label={`Edit the tag ${counted.tag.name}, ${counted.count} links`}
                    aria-pressed={edited?.counted.tag.id === counted.tag.id}
                    onClick={() => setEdited({ type: type.id, counted })}
                  >
                    <TagChip tag={counted.tag} />
                    <span className="small muted">{number(counted.count)}</span>
                    <Icon name="edit" />
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
const NEW_COLOUR = "#4f46e5";

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
  const [create] = useMutation(CREATE_TAG, { update: evictLists });
  const [update] = useMutation(UPDATE_TAG, { update: evictLists });
  const [remove] = useMutation(DELETE_TAG, { update: evictLists });
  const { problem, isBusy, attempt } = useAttempt();
  const [isDeleting, setIsDeleting] = useState(false);

  function save(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const tag = {
      name: String(data.get("name")),
      color: String(data.get("color")),
      tagTypeId: String(data.get("tagTypeId")),
    };
    void attempt(async () => {
      const result = requireResult(
        edited
          ? (await update({ variables: { input: { id: edited.counted.tag.id, ...tag } } })).data?.updateTag
          : (await create({ variables: { input: { channelId, ...tag } } })).data?.createTag,
      );
      if (result.__typename !== "CreateTagSuccess" && result.__typename !== "UpdateTagSuccess") return result;
      if (edited && edited.type !== tag.tagTypeId) onRemoved(edited.counted.tag.id);
      onDone(edited ? `The tag “${tag.name}” was changed.` : `The tag “${tag.name}” was created.`);
      return null;
    });
  }

  const deleteTag = (id: string, name: string) =>
    attempt(async () => {
      const { data } = await remove({ variables: { input: { id } } });
      const result = requireResult(data?.deleteTag);
      if (result.__typename !== "DeleteTagSuccess") return result;
      onRemoved(id);
      onDone(`The tag “${name}” was deleted.`);
      return null;
    });

  const tag = edited?.counted.tag;
  return (
    <form
      className="fields tag-form"
      onSubmit={save}
      aria-label={tag ? `Edit the tag ${tag.name}` : "New tag"}
    >
      {problem && <Problem problem={problem} fields={FIELDS} />}
      <div className="tag-fields">
        <Field
          name="name"
          label={tag ? "Name" : "New tag"}
          defaultValue={tag?.name ?? ""}
          autoComplete="off"
          problem={problem}
        />
        <label className="field">
          Type
          <select name="tagTypeId" defaultValue={edited?.type ?? types[0]?.id}>
            {types.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Field
          name="color"
          label="Colour"
          type="color"
          defaultValue={tag?.color ?? NEW_COLOUR}
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
                disabled={isBusy}
                onClick={() => deleteTag(tag.id, tag.name)}
              >
                Remove it from {number(edited?.counted.count ?? 0)} links and delete it
              </button>
            ) : (
              <button type="button" className="danger" onClick={() => setIsDeleting(true)}>
                Delete
              </button>
            )}
            <button type="button" onClick={onCancel}>
              Cancel
            </button>
          </>
        )}
        <button type="submit" className="primary" disabled={isBusy}>
          {tag ? "Save" : "Add"}
        </button>
      </footer>
    </form>
  );
}
