import { memo } from "react";
import { Link } from "wouter";
import { type FragmentType, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Facts, SHOWN_LINK, type ShownLink } from "../../parts/link/shownLink.js";
import { addressOfLink } from "../../shell/shortId.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { TagChip } from "../../ui/TagChip.js";
import { useCopied } from "../../ui/useCopied.js";

export interface LinkAction {
  readonly kind: "edit" | "revoke" | "qr";
  readonly link: ShownLink;
}

export const LinkRow = memo(function LinkRow(props: {
  readonly link: FragmentType<typeof SHOWN_LINK>;
  readonly channelId: number;
  /** The filter and the order as parameters of an address, each with "&" before it, for the way back from the link's page. */
  readonly search: string;
  readonly currency: string;
  readonly canEdit: boolean;
  readonly isSelected: boolean;
  readonly onSelect: (id: string, isRange: boolean) => void;
  readonly onAct: (action: LinkAction) => void;
  /** Opens the menu of a link beside the button. */
  readonly onMenu: (button: HTMLElement, link: ShownLink) => void;
}) {
  const { channelId, search, currency, canEdit, isSelected, onSelect, onAct, onMenu } = props;
  const { t, money, number, day, dayAndTime } = useI18n();
  const link = read(SHOWN_LINK, props.link);
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
          <Link className="link-name" title={name} href={addressOfLink(link.id, channelId) + search}>
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

/** The address, which a click copies. */
function Address({ url }: { readonly url: string }) {
  const { t } = useI18n();
  const [isCopied, copy] = useCopied();
  const shown = url.replace("https://", "");
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
