import type { ShownLinkFragment } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import "./link.css";

/**
 * What the pages show of a link, and what its form edits. A field that two fragments select is paid for twice in each row,
 * so the dialogs of a row take this fragment, too.
 */
export const SHOWN_LINK = graphql(`
  fragment ShownLink on InviteLink {
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

export type ShownLink = ShownLinkFragment;
/** Badges for what is unusual about a link. */
export function Facts({ link }: { readonly link: ShownLinkFragment }) {
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
