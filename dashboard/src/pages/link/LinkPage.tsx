import { CombinedGraphQLErrors } from "@apollo/client";
import { useQuery } from "@apollo/client/react";
import { Link, useParams, useSearch } from "wouter";
import { graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { useChangedLinks } from "../../parts/link/changedLinks.js";
import type { LinkValues } from "../../parts/link/LinkForm.js";
import { BY_PEOPLE, useLinkPolicy } from "../../parts/link/policy.js";
import { Facts, SHOWN_LINK, type ShownLink } from "../../parts/link/shownLink.js";
import { TAG_CHOICES } from "../../parts/link/TagPicker.js";
import { useChannel } from "../../shell/channel.js";
import { LazyDialog } from "../../shell/LazyDialog.js";
import { Lonely } from "../../shell/Lonely.js";
import { expandId } from "../../shell/shortId.js";
import { useTitle } from "../../shell/useTitle.js";
import { Icon } from "../../ui/Icon.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { lazyPart } from "../../ui/lazyPart.js";
import { Name } from "../../ui/Name.js";
import { TagChip } from "../../ui/TagChip.js";
import { useCopied } from "../../ui/useCopied.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import { LinkChart } from "./LinkChart.js";
import { LinkDetails } from "./LinkDetails.js";
import { LinkEvents } from "./LinkEvents.js";
import { LinkMembers } from "./LinkMembers.js";
import { LinkTiles } from "./LinkTiles.js";
import "../../parts/link/link.css";
import "./link.css";

const CreateLink = lazyPart(() => import("../../parts/link/CreateLink.js"));
const EditLink = lazyPart(() => import("../../parts/link/EditLink.js"));
const RevokeLink = lazyPart(() => import("../../parts/link/RevokeLink.js"));
const QrDialog = lazyPart(() => import("../../parts/link/QrDialog.js"));

const LINK_PAGE = graphql(`
  query LinkPage($channelId: TelegramID!, $id: ID!) {
    channel(telegramId: $channelId) {
      id
      currency
    }
    inviteLink(id: $id, channelId: $channelId) {
      id
      ...ShownLink
      ...LinkTiles
      ...LinkDetails
    }
  }
`);

/** The queries of the page that a changed link may move. */
const QUERIES = ["LinkPage", "LinkSeries", "LinkMembers", "LinkEvents", "LinkChanges"];
const MOVED = { changed: QUERIES, counted: QUERIES };

interface OpenDialog {
  readonly kind: "edit" | "duplicate" | "revoke" | "qr";
  /** The link as it was when the dialog was opened: what others change meanwhile is not among the user's changes. */
  readonly link: ShownLink;
}

/** The codes of errors that say that there is no such link: an id that is none is refused. */
const NOWHERE: readonly unknown[] = ["NOT_FOUND", "BAD_USER_INPUT"];

const isNowhere = (error: unknown): boolean =>
  CombinedGraphQLErrors.is(error) &&
  error.errors.every(({ extensions }) => NOWHERE.includes(extensions?.["code"]));

/** All about one link. Another link begins anew: without a dialog, and with the first rows of its lists. */
export default function LinkPage() {
  const { id: short = "" } = useParams<{ id: string }>();
  const id = expandId("InviteLink", short);
  return <OneLink key={id} id={id} />;
}

function OneLink({ id }: { readonly id: string }) {
  const { t } = useI18n();
  const { channelId, canEdit } = useChannel();
  const { dialog, open, close } = useOpenDialog<OpenDialog>();
  useChangedLinks(channelId, MOVED, id);
  // The address has the filter and the order of the list that one came from.
  const back = `/?${useSearch()}`;
  const { data, previousData, error, refetch } = useQuery(LINK_PAGE, {
    variables: { channelId, id },
    fetchPolicy: "cache-and-network",
  });
  const needsTags = dialog?.kind === "edit" || dialog?.kind === "duplicate";
  const choices = useQuery(TAG_CHOICES, {
    variables: { channelId },
    skip: !needsTags,
    fetchPolicy: "cache-and-network",
  });
  const policy = useLinkPolicy(
    dialog?.kind === "duplicate" && dialog.link.createsJoinRequest ? dialog.link.id : null,
  );
  const tagChoices = choices.data?.inviteLinks.facets ?? (choices.error ? [] : undefined);
  const loaded = data ?? previousData;
  const shown = loaded?.inviteLink;
  const link = shown && read(SHOWN_LINK, shown);
  const currency = loaded?.channel?.currency ?? "USD";
  const name = link && (link.name ?? t("links.unnamed"));
  useTitle(name ?? t("pages.link"));
  if (data?.inviteLink === null || isNowhere(error))
    return (
      <Lonely title={t("link.unknown")}>
        <p className="muted">{t("link.unknownHint")}</p>
        <Link className="button" href={back}>
          {t("nothingHere.toLinks")}
        </Link>
      </Lonely>
    );
  return (
    <main id="main" tabIndex={-1} className="link-page">
      <Link className="back" href={back}>
        <span aria-hidden="true">←</span> {t("pages.links")}
      </Link>
      {error && (
        <LoadProblem title={t("link.failed")} error={error} onRetry={() => void refetch().catch(() => {})} />
      )}
      <header className="title-row">
        <div className="title">
          <h1>{name == null ? "…" : <Name>{name}</Name>}</h1>
          {link && (
            <div className="link-marks">
              <Facts link={link} />
              <span className="chips">
                {link.tags.map((tag) => (
                  <TagChip key={tag.id} tag={tag} />
                ))}
              </span>
            </div>
          )}
        </div>
        <span className="spring" />
        {link && (
          <div className="link-actions">
            <CopyButton url={link.url} />
            <button type="button" aria-haspopup="dialog" onClick={() => open({ kind: "qr", link })}>
              <Icon name="qr" /> {t("links.qr")}
            </button>
            {canEdit && (
              <>
                <button type="button" aria-haspopup="dialog" onClick={() => open({ kind: "edit", link })}>
                  <Icon name="edit" /> {t("links.edit")}
                </button>
                {/* The form has no fields for a price, so a copy of a paid link would be free. */}
                {!link.subscription && (
                  <button
                    type="button"
                    aria-haspopup="dialog"
                    onClick={() => open({ kind: "duplicate", link })}
                  >
                    <Icon name="copy" /> {t("link.duplicate")}
                  </button>
                )}
                {link.isBotCreated && !link.isRevoked && (
                  <button
                    type="button"
                    className="danger"
                    aria-haspopup="dialog"
                    onClick={() => open({ kind: "revoke", link })}
                  >
                    <Icon name="revoke" /> {t("links.revoke")}
                  </button>
                )}
              </>
            )}
          </div>
        )}
      </header>
      {shown ? (
        <LinkTiles link={shown} currency={currency} />
      ) : (
        <div className="card tiles-place" role="status" aria-label={t("common.loading")} />
      )}
      <LinkChart channelId={channelId} id={id} />
      <div className="link-columns">
        <LinkMembers channelId={channelId} id={id} />
        <div className="link-side">
          {shown && <LinkDetails link={shown} />}
          <LinkEvents channelId={channelId} id={id} createdAt={link?.createdAt} currency={currency} />
        </div>
      </div>
      {dialog && (
        <LazyDialog key={dialog.kind} onClose={close}>
          {dialog.kind === "edit" && tagChoices && (
            <EditLink link={dialog.link} currency={currency} tagChoices={tagChoices} onClose={close} />
          )}
          {dialog.kind === "duplicate" && tagChoices && policy !== undefined && (
            <CreateLink
              currency={currency}
              tagChoices={tagChoices}
              again={null}
              copied={{ values: valuesOf(dialog.link), policy: policy ?? BY_PEOPLE }}
              isHidden={false}
              onShow={close}
              onQr={(copy) => open({ kind: "qr", link: copy })}
              onEdit={(copy) => open({ kind: "edit", link: copy })}
              onClose={close}
            />
          )}
          {dialog.kind === "revoke" && <RevokeLink link={dialog.link} onClose={close} />}
          {dialog.kind === "qr" && (
            <QrDialog url={dialog.link.url} name={dialog.link.name ?? t("links.unnamed")} onClose={close} />
          )}
        </LazyDialog>
      )}
    </main>
  );
}

/** The values of a new link that is to be as this one. A date that has passed is left out. */
const valuesOf = (link: ShownLink): LinkValues => ({
  name: link.name ?? "",
  budget: link.budget,
  expireDate: link.isExpired ? null : (link.expireDate ?? null),
  memberLimit: link.memberLimit ?? null,
  createsJoinRequest: link.createsJoinRequest,
  tagIds: link.tags.map(({ id }) => id),
});

function CopyButton({ url }: { readonly url: string }) {
  const { t } = useI18n();
  const [isCopied, copy] = useCopied();
  return (
    <button type="button" className="primary" onClick={() => copy(url)}>
      <Icon name={isCopied ? "check" : "copy"} /> {t("links.copyLink")}
      <span role="status" className="hidden">
        {isCopied && t("links.copied")}
      </span>
    </button>
  );
}
