import { memo } from "react";
import { Link } from "wouter";
import type { LinkRowFragment } from "../../api/gql/graphql.js";
import { type FragmentType, graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { canCopy } from "../../ui/copyText.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { TagChip } from "../../ui/TagChip.js";
import { useCopied } from "../../ui/useCopied.js";
import { addressOfLink } from "./shortId.js";

/**
 * What the page shows of a link, and what its form edits. A field that two fragments select is paid for twice in each row,
 * so the dialogs of a row take this fragment, too.
 */
export const LINK_ROW = graphql(`
  fragment LinkRow on InviteLink {
    id
    name
    url
    budget
    createdAt
    expireDate
    memberLimit
    createsJoinRequest
    isBotCreated
    isExpired
    isRevoked
    subscription {
      priceStars
    }
    stats {
      joinCount
      activeCount
      costPerJoin
    }
    tags {
      id
      ...TagChip
    }
  }
`);

export type ShownLink = LinkRowFragment;
export interface LinkAction {
  readonly kind: "edit" | "revoke" | "qr";
  readonly link: ShownLink;
}

export const LinkRow = memo(function LinkRow(props: {
  readonly link: FragmentType<typeof LINK_ROW>;
  readonly channelId: number;
  readonly currency: string;
  readonly canEdit: boolean;
  readonly isSelected: boolean;
  readonly onSelect: (id: string, isRange: boolean) => void;
  readonly onAct: (action: LinkAction) => void;
  /** Opens the menu of a link beside the button. */
  readonly onMenu: (button: HTMLElement, link: ShownLink) => void;
}) {
  const { channelId, currency, canEdit, isSelected, onSelect, onAct, onMenu } = props;
  const { t, money, number, day, dayAndTime } = useI18n();
  const link = read(LINK_ROW, props.link);
  const name = link.name ?? t("links.unnamed");
  return (
    <tr data-usable={!link.isRevoked && !link.isExpired} data-selected={isSelected}>
      <td className="name">
        <div className="about">
          {canEdit && (
            <input
              type="checkbox"
              className="pick"
              aria-label={t("links.select", { name })}
              checked={isSelected}
              onChange={({ nativeEvent }) =>
                onSelect(link.id, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)
              }
            />
          )}
          <Link className="link-name" title={name} href={addressOfLink(link.id, channelId)}>
            <Name>{name}</Name>
          </Link>
          <Facts link={link} />
        </div>
      </td>
      <td className="address">
        <Address url={link.url} />
      </td>
      <td className="tags">
        <span className="chips">
          {link.tags.map((tag) => (
            <TagChip key={tag.id} tag={tag} />
          ))}
        </span>
      </td>
      <td className="join_count" data-label={t("columns.joins")}>
        {number(link.stats.joinCount)}
      </td>
      <td className="active_count" data-label={t("columns.members")}>
        {number(link.stats.activeCount)}
      </td>
      <td className="cost" data-label={t("columns.costPerJoin")}>
        {link.stats.costPerJoin === null ? "–" : money(link.stats.costPerJoin, currency)}
      </td>
      <td className="budget">{money(link.budget, currency)}</td>
      <td className="created_at">
        <time dateTime={link.createdAt} title={dayAndTime(link.createdAt)}>
          {day(link.createdAt)}
        </time>
      </td>
      <td className="actions">
        {canEdit && (
          <button
            type="button"
            className="quiet icon-button"
            aria-label={t("links.editOf", { name })}
            title={t("links.edit")}
            onClick={() => onAct({ kind: "edit", link })}
          >
            <Icon name="edit" />
          </button>
        )}
        <button
          type="button"
          className="quiet icon-button"
          aria-label={t("links.moreOf", { name })}
          title={t("links.more")}
          aria-haspopup="menu"
          onClick={({ currentTarget }) => onMenu(currentTarget, link)}
        >
          <Icon name="more" />
        </button>
      </td>
    </tr>
  );
});

/** Badges for what is unusual about a link. */
export function Facts({ link }: { readonly link: LinkRowFragment }) {
  const { t, day, number } = useI18n();
  const facts = [
    link.isRevoked && { text: t("facts.revoked"), kind: "ended" },
    !link.isRevoked && link.isExpired && { text: t("facts.expired"), kind: "ended" },
    !link.isExpired && link.expireDate && { text: t("facts.expires", { day: day(link.expireDate) }) },
    link.createsJoinRequest && { text: t("facts.approval") },
    link.memberLimit && {
      text: t("facts.limit", { count: link.memberLimit, shown: number(link.memberLimit) }),
    },
    link.subscription && { text: t("facts.stars", { stars: number(link.subscription.priceStars) }) },
    !link.isBotCreated && { text: t("facts.foreign") },
  ].filter((fact): fact is { text: string; kind?: string } => typeof fact === "object" && fact !== null);
  if (facts.length === 0) return null;
  return (
    <span className="facts">
      {facts.map(({ text, kind = "plain" }) => (
        <span key={text} className="fact" data-kind={kind}>
          {text}
        </span>
      ))}
    </span>
  );
}

/** The address, which a click copies where the browser allows it. */
function Address({ url }: { readonly url: string }) {
  const { t } = useI18n();
  const [isCopied, copy] = useCopied();
  const shown = url.replace("https://", "");
  if (!canCopy()) return <code>{shown}</code>;
  return (
    <button
      type="button"
      className="quiet copy"
      title={t("links.copyLink")}
      data-copied={isCopied}
      onClick={() => copy(url)}
    >
      <span className="hidden">{t("links.copy")}</span> <code>{shown}</code>
      <Icon name={isCopied ? "check" : "copy"} />
      <span role="status" className="hidden">
        {isCopied && t("links.copied")}
      </span>
    </button>
  );
}
