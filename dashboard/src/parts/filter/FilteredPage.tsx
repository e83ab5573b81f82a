import { type ReactNode, Suspense, useState } from "react";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { LazyDialog } from "../../shell/LazyDialog.js";
import { Boundary } from "../../ui/Boundary.js";
import { Icon } from "../../ui/Icon.js";
import { lazyPart } from "../../ui/lazyPart.js";
import { useMedia } from "../../ui/useMedia.js";
import { FilterChips } from "./FilterChips.js";
import { Filters } from "./Filters.js";
import { Search } from "./Search.js";
import type { FilteredLinks } from "./useFilteredLinks.js";
import "./filter.css";

const DroppedNotice = lazyPart(() => import("./DroppedNotice.js"));
const FiltersDialog = lazyPart(() => import("./FiltersDialog.js"));

/** The width from which the filters stand beside the page. */
const WIDE = "(min-width: 70rem)";

/** The frame of a page that shows the links of a filter: its title, the filter, the search and the conditions. */
export function FilteredPage(props: {
  readonly links: FilteredLinks;
  readonly title: ReactNode;
  readonly subtitle: ReactNode;
  /** Buttons beside the title. */
  readonly actions?: ReactNode;
  /** What is said below the title. */
  readonly notices?: ReactNode;
  readonly children: ReactNode;
}) {
  const { links, title, subtitle, actions, notices, children } = props;
  const { view, dropped, changeView, totalCount, facets, isRefused } = links;
  const { t } = useI18n();
  const { channelId } = useChannel();
  const [isOpen, setIsOpen] = useState(false);
  const close = () => setIsOpen(false);
  const isWide = useMedia(WIDE);
  const isOdd = isRefused || dropped.length > 0;
  const [wasOdd, setWasOdd] = useState(isOdd);
  if (isOdd && !wasOdd) setWasOdd(true);
  const filters = <Filters view={view} onChange={changeView} facets={facets} />;
  return (
    <div className="columns">
      {isWide && (
        <aside className="side" aria-label={t("links.filters")}>
          {filters}
        </aside>
      )}
      <main id="main" tabIndex={-1}>
        <div className="title-row">
          <div className="title">
            <h1>{title}</h1>
            <p className="muted">{subtitle}</p>
          </div>
          <span className="spring" />
          {!isWide && (
            <button type="button" aria-haspopup="dialog" onClick={() => setIsOpen(true)}>
              <Icon name="filter" /> {t("links.filters")}
            </button>
          )}
          {actions}
        </div>
        {notices}
        {/* Always there, since screen readers announce what is added to it. */}
        <div role="status">
          {wasOdd && (
            <Boundary instead={() => null}>
              <Suspense>
                <DroppedNotice
                  channelId={channelId}
                  view={view}
                  dropped={dropped}
                  isRefused={isRefused}
                  onChange={changeView}
                />
              </Suspense>
            </Boundary>
          )}
        </div>
        <Search search={view.search} onChange={(search) => changeView({ search }, "replace")} />
        <FilterChips view={view} onChange={changeView} facets={facets} />
        {children}
      </main>
      {isOpen && !isWide && (
        <LazyDialog onClose={close}>
          <FiltersDialog count={totalCount ?? 0} onClose={close}>
            {filters}
          </FiltersDialog>
        </LazyDialog>
      )}
    </div>
  );
}
