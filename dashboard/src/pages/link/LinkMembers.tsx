import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { LinkMemberFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { isAwaited, shownData } from "../../api/shownData.js";
import { useI18n } from "../../i18n/index.js";
import { PAGE_SIZE, usePages } from "../../parts/usePages.js";
import { usePerson } from "../../parts/usePerson.js";
import { LoadProblem } from "../../ui/LoadProblem.js";
import { Segments } from "../../ui/Segments.js";

const LINK_MEMBER = graphql(`
  fragment LinkMember on Membership {
    userId
    joinedAt
    leftAt
    isRejoin
    isRemoval
    path
  }
`);

const LINK_MEMBERS = graphql(`
  query LinkMembers($channelId: TelegramID!, $id: ID!, $isActive: Boolean, $first: Int, $after: String) {
    inviteLink(id: $id, channelId: $channelId) {
      id
      members(isActive: $isActive, first: $first, after: $after) {
        pageInfo {
          hasNextPage
          endCursor
        }
        edges {
          node {
            id
            ...LinkMember
          }
        }
      }
    }
  }
`);

const SHOWN = { all: null, active: true, left: false } as const;
type Shown = keyof typeof SHOWN;

/** Who came by a link, and who left. */
export function LinkMembers({ channelId, id }: { readonly channelId: number; readonly id: string }) {
  const { t } = useI18n();
  const [shown, setShown] = useState<Shown>("all");
  const members = useQuery(LINK_MEMBERS, {
    variables: { channelId, id, isActive: SHOWN[shown], first: PAGE_SIZE },
    fetchPolicy: "cache-and-network",
  });
  const list = shownData(members)?.inviteLink?.members;
  const pages = usePages(members.data?.inviteLink?.members, members.fetchMore, shown);
  const problem = members.error ?? pages.error;
  return (
    <section className="card panel" aria-label={t("link.members")} aria-busy={isAwaited(members)}>
      <header className="panel-head">
        <h2>{t("link.members")}</h2>
        <Segments
          label={t("link.shown")}
          values={(["all", "active", "left"] as const).map((one) => [one, t(`link.members_${one}`)])}
          chosen={shown}
          onChoose={setShown}
        />
      </header>
      {problem && (
        <LoadProblem
          title={t("link.membersFailed")}
          error={problem}
          onRetry={() => (pages.error ? pages.showMore() : void members.refetch().catch(() => {}))}
        />
      )}
      {list && list.edges.length > 0 ? (
        <table className="members">
          <thead>
            <tr>
              <th scope="col">{t("link.person")}</th>
              <th scope="col">{t("link.joined")}</th>
              <th scope="col">{t("link.leftAt")}</th>
              <th scope="col" className="path">
                {t("link.path")}
              </th>
            </tr>
          </thead>
          <tbody>
            {list.edges.map(({ node }) => (
              <Member key={node.id} member={read(LINK_MEMBER, node)} />
            ))}
          </tbody>
        </table>
      ) : (
        <p className="empty">{list ? t("link.noMembers") : !problem && t("common.loading")}</p>
      )}
      {pages.hasMore && (
        <button type="button" onClick={pages.showMore}>
          {t("links.showMore")}
        </button>
      )}
    </section>
  );
}

const Mark = ({ text }: { readonly text: string }) => (
  <>
    {" "}
    <span className="fact">{text}</span>
  </>
);

function Member({ member }: { readonly member: LinkMemberFragment }) {
  const { t, dayAndTime } = useI18n();
  const personOf = usePerson();
  const { userId, joinedAt, leftAt, isRejoin, isRemoval, path } = member;
  return (
    <tr>
      <th scope="row">{personOf(userId)}</th>
      <td>
        <time dateTime={joinedAt}>{dayAndTime(joinedAt)}</time>
        {isRejoin && <Mark text={t("link.rejoin")} />}
      </td>
      <td>
        {leftAt == null ? (
          <span className="muted">{t("link.here")}</span>
        ) : (
          <>
            <time dateTime={leftAt}>{dayAndTime(leftAt)}</time>
            {isRemoval && <Mark text={t("link.wasRemoved")} />}
          </>
        )}
      </td>
      <td className="path muted">{t(`path.${path}`)}</td>
    </tr>
  );
}
