import type { ReactNode } from "react";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { TagChip } from "../../ui/TagChip.js";
import { type ChangeView, clearFilter } from "./useView.js";
import { isFiltered, toggle, UNFILTERED, type View } from "./view.js";

const FILTER_CHIP = graphql(`
  fragment FilterChip on TagTypeFacet {
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

/** The conditions of the filter, each with a button that takes it away. */
export function FilterChips(props: {
  readonly view: View;
  readonly onChange: ChangeView;
  readonly facets: readonly FragmentType<typeof FILTER_CHIP>[];
}) {
  const { view, onChange } = props;
  const { t } = useI18n();
  if (!isFiltered(view)) return null;
  const facets = props.facets.map((facet) => read(FILTER_CHIP, facet));
  const { groups } = view;
  const created =
    view.created && t("links.createdIn", { period: t(`period.${view.created}`).toLocaleLowerCase() });
  const stateName = t(`state.${view.state}`);
  return (
    <ul className="filter-chips" aria-label={t("links.appliedFilters")}>
      {view.state !== UNFILTERED.state && (
        <Condition name={stateName} onRemove={() => onChange({ state: UNFILTERED.state })}>
          {stateName}
        </Condition>
      )}
      {created !== null && (
        <Condition name={created} onRemove={() => onChange({ created: null })}>
          {created}
        </Condition>
      )}
      {view.search.trim() !== "" && (
        <Condition name={view.search} onRemove={() => onChange({ search: "" })}>
          “<Name>{view.search}</Name>”
        </Condition>
      )}
      {groups.flatMap((group) => {
        const facet = facets.find(({ type }) => type.id === group.type);
        const tags = facet?.tags.filter(({ tag }) => group.tags.includes(tag.id)) ?? [];
        const without = facet && group.without ? t("links.without", { type: facet.type.name }) : null;
        return [
          ...tags.map(({ tag }) => (
            <Condition
              key={tag.id}
              name={tag.name}
              onRemove={() => onChange({ groups: toggle(groups, group.type, tag.id) })}
            >
              <TagChip tag={tag} />
            </Condition>
          )),
          without !== null && (
            <Condition
              key={`without ${group.type}`}
              name={without}
              onRemove={() => onChange({ groups: toggle(groups, group.type, null) })}
            >
              {without}
            </Condition>
          ),
        ];
      })}
      <li>
        <button type="button" className="quiet slim" onClick={() => clearFilter(onChange)}>
          {t("links.clearFilter")}
        </button>
      </li>
    </ul>
  );
}

function Condition(props: {
  readonly name: string;
  readonly onRemove: () => void;
  readonly children: ReactNode;
}) {
  const { t } = useI18n();
  return (
    <li className="condition">
      {props.children}
      <button
        type="button"
        className="quiet icon-button tiny"
        aria-label={t("links.removeCondition", { name: props.name })}
        onClick={props.onRemove}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}
