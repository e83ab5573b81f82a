import { useEffect, useState } from "react";
import { day, dayAndTime, money, number } from "./format.js";
import type { LinkRowFragment } from "./gql/graphql.js";
import { type FragmentType, graphql, read } from "./gql/index.js";
import { Icon } from "./Icon.js";
import { EditLink, RevokeLink } from "./LinkDialogs.js";
import { QrDialog } from "./QrDialog.js";
import { TagChip } from "./TagChip.js";
import type { TAG_CHOICE } from "./TagPicker.js";

const LINK_ROW = graphql(`
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
    tags {
      id
      ...TagChip
    }
    ...LinkFields
  }
`);

export function LinkRow(props: {
  readonly link: FragmentType<typeof LINK_ROW>;
  readonly currency: string;
  readonly tagChoices: readonly FragmentType<typeof TAG_CHOICE>[];
  readonly canEdit: boolean;
  readonly onDone: (message: string) => void;
}) {
  const { currency, tagChoices, canEdit, onDone } = props;
  const link = read(LINK_ROW, props.link);
  const [dialog, setDialog] = useState<"qr" | "edit" | "revoke" | null>(null);
  const close = () => setDialog(null);
  const finish = (message: string) => {
    close();
    onDone(message);
  };
  const name = link.name ?? "Unnamed link";
  const isUsable = !link.isRevoked && !link.isExpired;
  return (
    <tr data-usable={isUsable}>
      <td className="name">
        <div className="about">
          <span className="link-name">{name}</span>
          <span className="link-url">
            <code>{link.url.replace("https://", "")}</code>
            <Copy text={link.url} name={name} />
            <button
              type="button"
              className="quiet icon-button small-icon"
              aria-label={`QR code of ${name}`}
              title="QR code"
              onClick={() => setDialog("qr")}
            >
              <Icon name="qr" />
            </button>
          </span>
          <Facts link={link} />
        </div>
      </td>
      <td className="tags">
        <span className="chips">
          {link.tags.map((tag) => (
            <TagChip key={tag.id} tag={tag} />
          ))}
        </span>
      </td>
      <td className="budget">{money(link.budget, currency)}</td>
      <td className="created_at">
        <time dateTime={link.createdAt} title={dayAndTime(link.createdAt)}>
          {day(link.createdAt)}
        </time>
      </td>
      <td className="actions">
        {canEdit && (
          <>
            <button
              type="button"
              className="quiet icon-button"
              aria-label={`Edit ${name}`}
              title="Edit"
              onClick={() => setDialog("edit")}
            >
              <Icon name="edit" />
            </button>
            {!link.isRevoked && link.isBotCreated && (
              <button
                type="button"
                className="quiet icon-button danger"
                aria-label={`Revoke ${name}`}
                title="Revoke"
                onClick={() => setDialog("revoke")}
              >
                <Icon name="revoke" />
              </button>
            )}
          </>
        )}
        {dialog === "qr" && <QrDialog url={link.url} name={name} onClose={close} />}
        {dialog === "edit" && (
          <EditLink link={link} currency={currency} tagChoices={tagChoices} onDone={finish} onClose={close} />
        )}
        {dialog === "revoke" && <RevokeLink id={link.id} name={name} onDone={finish} onClose={close} />}
      </td>
    </tr>
  );
}

/** Badges for what is unusual about a link. */
function Facts({ link }: { readonly link: LinkRowFragment }) {
  const facts = [
    link.isRevoked && { text: "revoked", kind: "ended" },
    !link.isRevoked && link.isExpired && { text: "expired", kind: "ended" },
    !link.isExpired && link.expireDate && { text: `expires ${day(link.expireDate)}`, kind: "plain" },
    link.createsJoinRequest && { text: "needs approval", kind: "plain" },
    link.memberLimit && { text: `at most ${number(link.memberLimit)} members`, kind: "plain" },
    link.subscription && { text: `★ ${number(link.subscription.priceStars)} for 30 days`, kind: "plain" },
    !link.isBotCreated && { text: "created by another administrator", kind: "plain" },
  ].filter((fact) => typeof fact === "object" && fact !== null);
  if (facts.length === 0) return null;
  return (
    <span className="facts">
      {facts.map(({ text, kind }) => (
        <span key={text} className="fact" data-kind={kind}>
          {text}
        </span>
      ))}
    </span>
  );
}

const COPIED_MS = 2000;

/** Rendered only if the browser lets pages write to the clipboard, which it does not over plain HTTP. */
function Copy({ text, name }: { readonly text: string; readonly name: string }) {
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setIsCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const clipboard: Clipboard | undefined = navigator.clipboard;
  if (clipboard === undefined) return null;
  const copy = () =>
    clipboard.writeText(text).then(
      () => setIsCopied(true),
      () => setIsCopied(false),
    );
  return (
    <button
      type="button"
      className="quiet icon-button small-icon"
      aria-label={isCopied ? `Copied ${name}` : `Copy ${name}`}
      title={isCopied ? "Copied" : "Copy"}
      data-copied={isCopied}
      onClick={() => void copy()}
    >
      <Icon name={isCopied ? "check" : "copy"} />
    </button>
  );
}
