import { useApolloClient, useMutation, useQuery } from "@apollo/client/react";
import { Combobox } from "@base-ui/react/combobox";
import { useEffect, useId, useRef, useState } from "react";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { updateLists } from "../../api/listUpdates.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { Problem } from "../../ui/Problem.js";
import { type TAG_CHIP, TagChip } from "../../ui/TagChip.js";
import "./link.css";

/** The tags of a type in a channel. Facets contain all tags of a type, without a limit. */
export const TAG_CHOICE = graphql(`
  fragment TagChoice on TagTypeFacet {
    type {
      id
      name
    }
    tags {
      tag {
        id
        name
        ...TagChip
      }
    }
  }
`);

/** The tags that a link may get, where the page has not asked for them. */
export const TAG_CHOICES = graphql(`
  query TagChoices($channelId: TelegramID!) {
    inviteLinks(channelId: $channelId, first: 0) {
      facets {
        ...TagChoice
      }
    }
  }
`);

/** Facets lack the types that have no tag in the channel yet. */
const TAG_TYPES = graphql(`
  query TagTypes {
    tagTypes {
      id
      name
    }
  }
`);

const MAKE_TAG = graphql(`
  mutation MakeTag($input: CreateTagInput!) {
    createTag(input: $input) {
      __typename
      ... on CreateTagSuccess {
        tag {
          id
          name
          ...TagChip
        }
      }
      ...Problem
    }
  }
`);

/** The colors of tags that are made in passing, one after another. */
const COLORS = ["#4f46e5", "#0f9d76", "#c2410c", "#be185d", "#0369a1", "#7c3aed", "#4d7c0f", "#b45309"];

interface Choice {
  readonly id: string;
  readonly name: string;
  /** Null stands for making a tag of this name. */
  readonly tag: FragmentType<typeof TAG_CHIP> | null;
}

/** A combobox for each tag type, which also makes tags. A form contains the chosen ones as "tagIds". */
export function TagPicker(props: {
  readonly choices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly chosen: ReadonlySet<string>;
  readonly problem: string | null;
}) {
  const { t } = useI18n();
  const facets = props.choices.map((choice) => read(TAG_CHOICE, choice));
  const { data } = useQuery(TAG_TYPES);
  const inFacets = facets.map(({ type }) => type);
  const asked = data?.tagTypes ?? [];
  const types = [...asked, ...inFacets.filter(({ id }) => !asked.some((type) => type.id === id))];
  // Chosen tags that the choices lack, because they are newer or could not be loaded, stay chosen.
  const [kept] = useState(() => {
    const known = new Set(facets.flatMap(({ tags }) => tags.map(({ tag }) => tag.id)));
    return [...props.chosen].filter((id) => !known.has(id));
  });
  const problemId = useId();
  const [dialog, setDialog] = useState<HTMLElement | null>(null);
  const keptTags = kept.map((id) => <input key={id} type="hidden" name="tagIds" value={id} />);
  if (types.length === 0) return <>{keptTags}</>;
  return (
    <fieldset
      ref={(element) => setDialog(element?.closest("dialog") ?? null)}
      className="picker"
      aria-describedby={props.problem === null ? undefined : problemId}
    >
      <legend>{t("links.tags")}</legend>
      {keptTags}
      {types.map(({ id, name }) => (
        <TypePicker
          key={id}
          typeId={id}
          typeName={name}
          tags={facets.find(({ type }) => type.id === id)?.tags.map(({ tag }) => ({ ...tag, tag })) ?? []}
          chosen={props.chosen}
          container={dialog}
        />
      ))}
      {props.problem !== null && (
        <p id={problemId} className="field-problem">
          {props.problem}
        </p>
      )}
    </fieldset>
  );
}

function TypePicker(props: {
  readonly typeId: string;
  readonly typeName: string;
  readonly tags: readonly Choice[];
  readonly chosen: ReadonlySet<string>;
  /** The dialog that the list must be in, since all else is behind it. */
  readonly container: HTMLElement | null;
}) {
  const { typeId, typeName, tags, container } = props;
  const { t } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const inputId = useId();
  const root = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState("");
  const [isOpen, setIsOpen] = useState(false);
  const [chosen, setChosen] = useState<readonly Choice[]>(() =>
    tags.filter(({ id }) => props.chosen.has(id)),
  );
  const [make] = useMutation(MAKE_TAG);
  const { problem, isBusy, attempt } = useAttempt();

  // The form learns of a choice as it does of what is typed, and waits for a tag that is being made.
  const isFirst = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another choice and the wait for it are told.
  useEffect(() => {
    if (!isFirst.current) root.current?.dispatchEvent(new Event("input", { bubbles: true }));
    isFirst.current = false;
  }, [chosen, isBusy]);

  const name = typed.trim();
  // Tags are made one after the other.
  const isNew = !isBusy && name !== "" && !tags.some((tag) => tag.name.toLowerCase() === name.toLowerCase());
  const choices = isNew ? [...tags, { id: "", name, tag: null }] : tags;
  const makeTag = () =>
    attempt(async () => {
      const color = COLORS[tags.length % COLORS.length] ?? "#4f46e5";
      const { data } = await make({ variables: { input: { channelId, tagTypeId: typeId, name, color } } });
      const result = requireResult(data?.createTag);
      if (result.__typename !== "CreateTagSuccess") return result;
      updateLists(client, channelId);
      setChosen((before) => [...before, { ...result.tag, tag: result.tag }]);
      return null;
    });
  function choose(next: readonly Choice[]): void {
    const existing = next.filter(({ tag }) => tag !== null);
    setChosen(existing);
    setTyped("");
    if (existing.length < next.length) void makeTag();
  }

  return (
    <div ref={root} className="field" aria-busy={isBusy}>
      {chosen.map(({ id }) => (
        <input key={id} type="hidden" name="tagIds" value={id} />
      ))}
      <Combobox.Root
        items={choices}
        multiple
        value={[...chosen]}
        onValueChange={choose}
        inputValue={typed}
        onInputValueChange={setTyped}
        open={isOpen}
        onOpenChange={setIsOpen}
        itemToStringLabel={({ name }) => name}
        isItemEqualToValue={(one, other) => one.id === other.id}
        autoHighlight
      >
        <label htmlFor={inputId}>
          <Name>{typeName}</Name>
        </label>
        <Combobox.Chips className="combobox">
          {chosen.map(
            (choice) =>
              choice.tag && (
                <Combobox.Chip key={choice.id} className="combobox-chip" aria-label={choice.name}>
                  <TagChip tag={choice.tag} />
                  <Combobox.ChipRemove
                    className="quiet icon-button tiny"
                    aria-label={t("form.removeTag", { name: choice.name })}
                  >
                    <Icon name="close" />
                  </Combobox.ChipRemove>
                </Combobox.Chip>
              ),
          )}
          <Combobox.Input
            id={inputId}
            data-transient
            placeholder={chosen.length === 0 ? t("form.findOrMakeTag") : undefined}
            onKeyDown={(event) => {
              // Escape closes the list, not the dialog around it.
              if (event.key === "Escape" && isOpen) event.preventDefault();
            }}
          />
        </Combobox.Chips>
        <Combobox.Portal container={container}>
          <Combobox.Positioner className="menu-place" sideOffset={4} positionMethod="fixed">
            <Combobox.Popup className="menu combobox-list">
              <Combobox.Empty>
                <p className="small muted">{t("links.noTagFound")}</p>
              </Combobox.Empty>
              <Combobox.List>
                {(choice: Choice) => (
                  <Combobox.Item key={choice.id} value={choice}>
                    {choice.tag ? <TagChip tag={choice.tag} /> : t("form.makeTag", { name: choice.name })}
                    <Combobox.ItemIndicator>
                      <Icon name="check" />
                    </Combobox.ItemIndicator>
                  </Combobox.Item>
                )}
              </Combobox.List>
            </Combobox.Popup>
          </Combobox.Positioner>
        </Combobox.Portal>
      </Combobox.Root>
      {problem && <Problem problem={problem} />}
    </div>
  );
}
