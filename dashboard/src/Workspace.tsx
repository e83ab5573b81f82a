import { useQuery } from "@apollo/client/react";
import { useEffect } from "react";
import { Brand } from "./Brand.js";
import { ChannelView } from "./ChannelView.js";
import { graphql } from "./gql/index.js";
import { Icon } from "./Icon.js";
import { useView } from "./useView.js";

const WORKSPACE = graphql(`
  query Workspace($after: String) {
    viewer {
      name
      role
    }
    channels(first: 100, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        cursor
        node {
          id
          telegramId
          title
          ...ChannelView
        }
      }
    }
  }
`);

/** Shows one of the token's channels and lets the user choose another. */
export function Workspace({ onLeave }: { readonly onLeave: () => void }) {
  const { data, error, refetch, fetchMore } = useQuery(WORKSPACE);
  const [view, changeView] = useView();
  const channels = data?.channels.edges.map(({ node }) => node) ?? [];
  const after = data?.channels.pageInfo.hasNextPage ? data.channels.pageInfo.endCursor : null;
  useEffect(() => {
    // If a page fails to load, the user can still choose among the loaded channels.
    if (after != null) fetchMore({ variables: { after } }).catch(() => {});
  }, [after, fetchMore]);
  const channel = channels.find(({ telegramId }) => telegramId === view.channel) ?? channels[0];

  return (
    <>
      <header className="top">
        <Brand />
        {channel && (
          <label className="channel">
            <span className="hidden">Channel</span>
            <select
              value={channel.telegramId}
              onChange={({ target }) =>
                // Tags belong to one channel, so another channel starts without a filter.
                changeView({ channel: Number(target.value), groups: [], name: "", state: "all", chart: null })
              }
            >
              {channels.map(({ id, telegramId, title }) => (
                <option key={id} value={telegramId}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        )}
        <span className="spring" />
        {data && (
          <span className="viewer" title={`The token “${data.viewer.name}”`}>
            <span className="viewer-name">{data.viewer.name}</span>
            <span className="role">{data.viewer.role.toLowerCase()}</span>
          </span>
        )}
        <button
          type="button"
          className="quiet icon-button"
          aria-label="Sign out"
          title="Sign out"
          onClick={onLeave}
        >
          <Icon name="leave" />
        </button>
      </header>
      {channel && data ? (
        <ChannelView key={channel.id} channel={channel} canEdit={data.viewer.role !== "VIEWER"} />
      ) : (
        <main className="lonely">
          {error ? (
            <div role="alert" className="card">
              <h1>The server did not answer</h1>
              <p className="muted">{error.message}</p>
              <button type="button" onClick={() => void refetch().catch(() => {})}>
                Try again
              </button>
            </div>
          ) : data ? (
            <div className="card">
              <h1>No channel yet</h1>
              <p className="muted">
                An administrator can connect a channel with <code>connectChannel</code> in{" "}
                <a href="/graphql">GraphiQL</a> or from a program.
              </p>
            </div>
          ) : (
            <p role="status" className="muted">
              Loading …
            </p>
          )}
        </main>
      )}
    </>
  );
}
