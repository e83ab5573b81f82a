import { useQuery } from "@apollo/client/react";
import type { WaitingLinksQuery } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { JOIN_REQUEST_POLICY, PolicyText } from "../../parts/link/policy.js";
import { useChannel } from "../../shell/channel.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import { PolicyDialog } from "./PolicyDialog.js";

const WAITING_LINKS = graphql(`
  query WaitingLinks($channelId: TelegramID!, $first: Int, $after: String) {
    inviteLinks(
      channelId: $channelId
      filter: { hasPendingJoinRequests: true }
      first: $first
      after: $after
    ) {
      totalCount
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          name
          isBotCreated
          createsJoinRequest
          stats {
            pendingJoinRequestCount
          }
          ...JoinRequestPolicy
        }
      }
    }
  }
`);

export type WaitingLink = WaitingLinksQuery["inviteLinks"]["edges"][number]["node"];

/** The links by which people wait, and who decides their requests. */
export function WaitingLinks(props: {
  /** The id of the link whose requests alone are shown; null for all. */
  readonly chosen: string | null;
  readonly onChoose: (id: string | null) => void;
}) {
  const { chosen, onChoose } = props;
  const { t, number } = useI18n();
  const { channelId, canEdit } = useChannel();
  const { data, previousData, error, refetch, fetchMore } = useQuery(WAITING_LINKS, {
    variables: { channelId, first: 50 },
    fetchPolicy: "cache-and-network",
  });
  const { dialog, open, close } = useOpenDialog<{ readonly link: WaitingLink }>();
  const list = (data ?? previousData)?.inviteLinks;
  const links = list?.edges.map(({ node }) => node) ?? [];
  return (
    <>
      {chosen !== null && (
        <div>
          <button type="button" className="slim" onClick={() => onChoose(null)}>
            <Icon name="close" /> {t("requests.ofAllLinks")}
          </button>
        </div>
      )}
      {error && !list && <Loading error={error} refetch={refetch} />}
      {list && links.length > 0 && (
        <details className="card waiting-links">
          <summary>
            {t("requests.byLink", { count: list.totalCount, shown: number(list.totalCount) })}
          </summary>
          <ul className="things">
            {links.map((link) => {
              const { id, name, stats } = link;
              const title = name ?? t("links.unnamed");
              const count = stats.pendingJoinRequestCount;
              return (
                <li key={id}>
                  <div className="thing">
                    <p className="thing-name">
                      <Name>{title}</Name>{" "}
                      <span className="badge">{t("requests.pending", { count, shown: number(count) })}</span>
                    </p>
                    <p className="small muted">
                      <PolicyText policy={read(JOIN_REQUEST_POLICY, link).joinRequestPolicy} />
                    </p>
                  </div>
                  <div className="thing-buttons">
                    {chosen !== id && (
                      <button
                        type="button"
                        className="slim"
                        aria-label={t("requests.onlyOf", { name: title })}
                        onClick={() => onChoose(id)}
                      >
                        {t("requests.only")}
                      </button>
                    )}
                    {canEdit && link.isBotCreated && link.createsJoinRequest && (
                      <button
                        type="button"
                        className="slim"
                        aria-label={t("requests.policyOf", { name: title })}
                        onClick={() => open({ link })}
                      >
                        {t("requests.policy")}
                      </button>
                    )}
                  </div>
                </li>
              );
            })}
          </ul>
          {list.pageInfo.hasNextPage && (
            <div className="request-note">
              <button
                type="button"
                onClick={() =>
                  void fetchMore({ variables: { after: list.pageInfo.endCursor } }).catch(() => {})
                }
              >
                {t("links.showMore")}
              </button>
            </div>
          )}
        </details>
      )}
      {dialog && <PolicyDialog link={dialog.link} onClose={close} />}
    </>
  );
}
