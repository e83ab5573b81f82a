import { type ReactNode, useId, useState } from "react";
import type { FacetFragment } from "../../api/gql/graphql.js";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Name } from "../../ui/Name.js";
import { Segments } from "../../ui/Segments.js";
import { TagChip } from "../../ui/TagChip.js";
import { PERIODS } from "./period.js";
import { type ChangeView, clearFilter } from "./useView.js";
import { isFiltered, STATES, toggle, type View } from "./view.js";

const FACET = graphql(`
  fragment Facet on TagTypeFacet {
    type {
      id
      name
    }
    withoutTypeCount
    tags {
      count
      tag {
        id
        name
        ...TagChip
      }
    }
  }
`);

/** Lists with at least so many tags have a search field. */
const SEARCHED_FROM = 10;

export function Filters(props: {
  readonly view: View;
  readonly onChange: ChangeView;
  readonly facets: readonly FragmentType<typeof FACET>[];
}) {
  const { view, onChange } = props;
  const { t } = useI18n();
  return (
    <form className="filters" data-transient onSubmit={(event) => event.preventDefault()}>
      <div>
        <p className="legend">{t("links.state")}</p>
        <Segments
          label={t("links.state")}
          values={STATES.map((state) => [state, t(`state.${state}`)])}
          chosen={view.state}
          onChoose={(state) => onChange({ state })}
        />
      </div>
      <div>
        <p className="legend">{t("links.created_at")}</p>
        <Segments
          label={t("links.created_at")}
          values={(["any", ...PERIODS] as const).map((period) => [period, t(`period.${period}`)])}
          chosen={view.created ?? "any"}
          onChoose={(period) => onChange({ created: period === "any" ? null : period })}
        />
      </div>
      {props.facets.map((facet) => {
        const shown = read(FACET, facet);
        return <TypeFilter key={shown.type.id} facet={shown} view={view} onChange={onChange} />;
      })}
      {isFiltered(view) && (
        <button type="button" onClick={() => clearFilter(onChange)}>
          {t("links.clearFilter")}
        </button>
      )}
    </form>
  );
}

function TypeFilter(props: {
  readonly facet: FacetFragment;
  readonly view: View;
  readonly onChange: ChangeView;
}) {
  const { facet, view, onChange } = props;
  const { type } = facet;
  const { t, number } = useI18n();
  const group = view.groups.find((other) => other.type === type.id);
  const [searched, setSearched] = useState("");
  const searchId = useId();
  const wanted = searched.toLowerCase();
  const tags = facet.tags.filter(({ tag }) => tag.name.toLowerCase().includes(wanted));
  const toggleTag = (tag: string | null) => onChange({ groups: toggle(view.groups, type.id, tag) });
  return (
    <fieldset>
      <legend>
        <Name>{type.name}</Name>
      </legend>
      {facet.tags.length >= SEARCHED_FROM && (
        <>
          <label htmlFor={searchId} className="hidden">
            {t("links.findTagOf", { type: type.name })}
          </label>
          <input
            id={searchId}
            type="search"
            className="slim"
            placeholder={t("links.findAmong", { count: facet.tags.length, shown: number(facet.tags.length) })}
            value={searched}
            onChange={({ target }) => setSearched(target.value)}
          />
        </>
      )}
      <ul className="choices">
        {tags.map(({ tag, count }) => (
          <Choice
            key={tag.id}
            isChosen={group?.tags.includes(tag.id) === true}
            count={count}
            onToggle={() => toggleTag(tag.id)}
          >
            <TagChip tag={tag} />
          </Choice>
        ))}
        {tags.length === 0 && <li className="small muted">{t("links.noTagFound")}</li>}
        <Choice
          isChosen={group?.without === true}
          count={facet.withoutTypeCount}
          onToggle={() => toggleTag(null)}
        >
          <span className="muted">{t("links.without", { type: type.name })}</span>
        </Choice>
      </ul>
    </fieldset>
  );
}

function Choice(props: {
  readonly isChosen: boolean;
  readonly count: number;
  readonly onToggle: () => void;
  readonly children: ReactNode;
}) {
  const { isChosen, count, onToggle, children } = props;
  const { t, number } = useI18n();
  return (
    <li data-empty={count === 0 && !isChosen}>
      <label>
        <input type="checkbox" checked={isChosen} onChange={onToggle} />
        {children}
        <span className="count" aria-hidden="true">
          {number(count)}
        </span>
        <span className="hidden">{t("chart.links", { count, shown: number(count) })}</span>
      </label>
    </li>
  );
}
