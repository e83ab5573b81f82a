import { useId, useState } from "react";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Name } from "../../ui/Name.js";
import { TagChip } from "../../ui/TagChip.js";

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

const SEARCHED_FROM = 12;

/** Check boxes for tags. A form contains the chosen ones as "tagIds". */
export function TagPicker(props: {
  readonly choices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly chosen: ReadonlySet<string>;
  readonly problem: string | null;
}) {
  const { t, number } = useI18n();
  const types = props.choices.map((choice) => read(TAG_CHOICE, choice));
  const [searched, setSearched] = useState("");
  const searchId = useId();
  const problemId = useId();
  const count = types.reduce((sum, { tags }) => sum + tags.length, 0);
  if (count === 0) return null;
  return (
    <fieldset className="picker" aria-describedby={props.problem === null ? undefined : problemId}>
      <legend>{t("links.tags")}</legend>
      {count >= SEARCHED_FROM && (
        <>
          <label htmlFor={searchId} className="hidden">
            {t("links.findTag")}
          </label>
          <input
            id={searchId}
            type="search"
            className="slim"
            data-transient
            placeholder={t("links.findAmong", { count, shown: number(count) })}
            value={searched}
            onChange={({ target }) => setSearched(target.value)}
          />
        </>
      )}
      <div className="picker-types">
        {types.map(({ type, tags }) => (
          <fieldset key={type.id}>
            <legend className="small muted">
              <Name>{type.name}</Name>
            </legend>
            <div className="chips">
              {tags.map(({ tag }) => (
                // Hidden rather than removed, so that chosen tags stay chosen.
                <label
                  key={tag.id}
                  className="pick"
                  hidden={!tag.name.toLowerCase().includes(searched.toLowerCase())}
                >
                  <input
                    type="checkbox"
                    name="tagIds"
                    value={tag.id}
                    defaultChecked={props.chosen.has(tag.id)}
                  />
                  <TagChip tag={tag} />
                </label>
              ))}
            </div>
          </fieldset>
        ))}
      </div>
      {props.problem !== null && (
        <p id={problemId} className="field-problem">
          {props.problem}
        </p>
      )}
    </fieldset>
  );
}
