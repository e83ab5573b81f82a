import { Menu } from "@base-ui/react/menu";
import { useI18n } from "../../i18n/index.js";
import type { ShownLink } from "../../parts/link/shownLink.js";
import { Icon } from "../../ui/Icon.js";
import { useCopied } from "../../ui/useCopied.js";
import type { LinkAction } from "./LinkRow.js";

/** What can be done with a link, beside the button that opened it. The table has one menu for all rows. */
export default function RowMenu(props: {
  readonly button: HTMLElement;
  readonly link: ShownLink;
  readonly canEdit: boolean;
  readonly onAct: (action: LinkAction) => void;
  readonly onClose: () => void;
}) {
  const { button, link, canEdit, onAct, onClose } = props;
  const { t } = useI18n();
  const [, copy] = useCopied();
  function act(kind: LinkAction["kind"]): void {
    // The dialog returns the focus to where it was, which must not be an entry of the closed menu.
    button.focus();
    onAct({ kind, link });
  }
  return (
    <Menu.Root open onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Menu.Portal container={button.closest("section")}>
        <Menu.Positioner anchor={button} align="end" sideOffset={4} className="menu-place">
          <Menu.Popup className="menu" finalFocus={() => button} aria-label={t("links.more")}>
            <Menu.Item onClick={() => copy(link.url)}>
              <Icon name="copy" /> {t("links.copyLink")}
            </Menu.Item>
            <Menu.Item onClick={() => act("qr")}>
              <Icon name="qr" /> {t("links.qr")}
            </Menu.Item>
            {canEdit && (
              <Menu.Item onClick={() => act("edit")}>
                <Icon name="edit" /> {t("links.edit")}
              </Menu.Item>
            )}
            {canEdit && !link.isRevoked && link.isBotCreated && (
              <Menu.Item className="danger" onClick={() => act("revoke")}>
                <Icon name="revoke" /> {t("links.revoke")}
              </Menu.Item>
            )}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
