import { Suspense } from "react";
import { useI18n } from "../../i18n/index.js";
import { FilteredPage } from "../../parts/filter/FilteredPage.js";
import { useFilteredLinks } from "../../parts/filter/useFilteredLinks.js";
import { clearFilter } from "../../parts/filter/useView.js";
import { isFiltered } from "../../parts/filter/view.js";
import { useChangedLinks } from "../../parts/link/changedLinks.js";
import type { LostCreation } from "../../parts/link/lostCreations.js";
import { UncertainCreations } from "../../parts/link/UncertainCreations.js";
import { useChannel } from "../../shell/channel.js";
import { useKey } from "../../shell/keys.js";
import { LazyDialog } from "../../shell/LazyDialog.js";
import { Boundary } from "../../ui/Boundary.js";
import { Icon } from "../../ui/Icon.js";
import { lazyPart } from "../../ui/lazyPart.js";
import { Name } from "../../ui/Name.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import type { LinkAction } from "./LinkRow.js";
import { LinkTable } from "./LinkTable.js";
import { Overview } from "./Overview.js";
import "./links.css";

const BotNotice = lazyPart(() => import("./BotNotice.js"));
const CreateLink = lazyPart(() => import("../../parts/link/CreateLink.js"));
const EditLink = lazyPart(() => import("../../parts/link/EditLink.js"));
const RevokeLink = lazyPart(() => import("../../parts/link/RevokeLink.js"));
const QrDialog = lazyPart(() => import("../../parts/link/QrDialog.js"));
const TagsDialog = lazyPart(() => import("./TagsDialog.js"));

type OpenDialog =
  | LinkAction
  | { readonly kind: "create"; readonly again: LostCreation | null }
  | { readonly kind: "tags" };

/** The queries of the page that a changed link may move. */
const MOVED = { changed: ["Summary", "Sums", "Links", "Budgets"], counted: ["Sums"] };

/** The links of a channel. */
export default function LinksPage() {
  const { t } = useI18n();
  const { channelId, title, username, canEdit } = useChannel();
  const links = useFilteredLinks();
  const { view, changeView, channel, facets } = links;
  const { dialog, open, close } = useOpenDialog<OpenDialog>();
  useChangedLinks(channelId, MOVED);
  const currency = channel?.currency ?? "";
  useKey("n", canEdit ? () => open({ kind: "create", again: null }) : null);

  return (
    <>
      <FilteredPage
        links={links}
        title={title === undefined ? "…" : <Name>{title}</Name>}
        subtitle={username ? `@${username}` : channelId}
        actions={
          canEdit && (
            <>
              <button type="button" onClick={() => open({ kind: "tags" })}>
                <Icon name="tag" /> {t("links.tags")}
              </button>
              <button
                type="button"
                className="primary"
                aria-keyshortcuts="n"
                onClick={() => open({ kind: "create", again: null })}
              >
                <Icon name="plus" /> {t("links.create")}
              </button>
            </>
          )
        }
        notices={
          <>
            {channel !== null && channel.botStatus !== "READY" && (
              <Boundary instead={() => null}>
                <Suspense>
                  <BotNotice channel={channel} />
                </Suspense>
              </Boundary>
            )}
            <UncertainCreations onRepeat={(again) => open({ kind: "create", again })} />
          </>
        }
      >
        <Overview links={links} />
        <LinkTable links={links} onAct={open} />
      </FilteredPage>
      {dialog && (
        <LazyDialog key={dialog.kind} onClose={close}>
          {dialog.kind === "create" && (
            <CreateLink
              currency={currency}
              tagChoices={facets}
              again={dialog.again}
              isHidden={isFiltered(view)}
              onShow={() => clearFilter(changeView)}
              onQr={(link) => open({ kind: "qr", link })}
              onEdit={(link) => open({ kind: "edit", link })}
              onClose={close}
            />
          )}
          {dialog.kind === "edit" && (
            <EditLink link={dialog.link} currency={currency} tagChoices={facets} onClose={close} />
          )}
          {dialog.kind === "revoke" && <RevokeLink link={dialog.link} onClose={close} />}
          {dialog.kind === "qr" && (
            <QrDialog url={dialog.link.url} name={dialog.link.name ?? t("links.unnamed")} onClose={close} />
          )}
          {dialog.kind === "tags" && <TagsDialog onClose={close} />}
        </LazyDialog>
      )}
    </>
  );
}
