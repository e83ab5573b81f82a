import { useQuery } from "@apollo/client/react";
import { Suspense, useEffect, useState } from "react";
import { Route, Switch, useLocation } from "wouter";
import type { Connection } from "../api/connection.js";
import { graphql } from "../api/gql/index.js";
import { useAllPages } from "../api/useAllPages.js";
import { TimeZoneContext, useI18n } from "../i18n/index.js";
import { PAGES, START } from "../pages/pages.js";
import { LoadProblem } from "../ui/LoadProblem.js";
import { lazyPart } from "../ui/lazyPart.js";
import { Toasts } from "../ui/Toasts.js";
import {
  ChannelContext,
  rememberChannel,
  rememberedChannel,
  rememberedZone,
  useAskedChannel,
} from "./channel.js";
import { ErrorBoundary } from "./ErrorBoundary.js";
import { Keys } from "./Keys.js";
import { LazyDialog } from "./LazyDialog.js";
import { LoadFailed } from "./Lonely.js";
import { Notices } from "./Notices.js";
import { useSession } from "./session.js";
import { TopBar } from "./TopBar.js";
import { useTitle } from "./useTitle.js";

const nothingHere = () => import("./NothingHere.js");
const NoPage = lazyPart(async () => ({ default: (await nothingHere()).NoPage }));
const NoChannel = lazyPart(async () => ({ default: (await nothingHere()).NoChannel }));
const UnknownChannel = lazyPart(async () => ({ default: (await nothingHere()).UnknownChannel }));
const SignInAgain = lazyPart(() => import("./SignInAgain.js"));

const SHELL = graphql(`
  query Shell($after: String) {
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
          username
          timeZone
        }
      }
    }
  }
`);

function Title({ name }: { readonly name: string }) {
  useTitle(name);
  return null;
}

/** The frame around every page: it knows the user and the channels, and shows the page of the address. */
export function Shell({ connection }: { readonly connection: Connection }) {
  const { t } = useI18n();
  const { isRefused } = useSession();
  const { data, error, refetch, fetchMore } = useQuery(SHELL);
  const [path] = useLocation();
  const asked = useAskedChannel();
  const channels = data?.channels.edges.map(({ node }) => node) ?? [];
  const { isWhole: isComplete, ...pages } = useAllPages(data?.channels, fetchMore);
  // Before the channels are known, the page of the channel is loaded already: all queries go in one round.
  const find = (id: number | null) =>
    channels.find(({ telegramId }) => telegramId === id) ??
    (isComplete || id === null || !Number.isSafeInteger(id) ? undefined : { telegramId: id });
  // Another tab may remember another channel meanwhile.
  const [last, setLast] = useState(rememberedChannel);
  const shown = asked === null ? (find(last) ?? channels[0]) : find(Number(asked));
  const channel = shown && channels.find(({ telegramId }) => telegramId === shown.telegramId);
  const channelId = channel?.telegramId;
  const timeZone = channel?.timeZone;
  useEffect(() => {
    if (channelId === undefined) return;
    setLast(channelId);
    rememberChannel(channelId, timeZone);
  }, [channelId, timeZone]);
  return (
    <>
      <a className="skip" href="#main">
        {t("shell.skip")}
      </a>
      <TopBar channels={channels} channelId={shown?.telegramId} viewer={data?.viewer} />
      <Notices connection={connection} />
      {pages.error && (
        <LoadProblem title={`${t("lonely.loadFailed")}.`} error={pages.error} onRetry={pages.retry} />
      )}
      {shown ? (
        <ChannelContext
          value={{
            channelId: shown.telegramId,
            title: channel?.title,
            username: channel?.username,
            timeZone: channel?.timeZone ?? rememberedZone(shown.telegramId),
            role: data?.viewer.role,
            canEdit: data !== undefined && data.viewer.role !== "VIEWER",
            isAdmin: data?.viewer.role === "ADMIN",
          }}
        >
          <TimeZoneContext value={channel?.timeZone ?? rememberedZone(shown.telegramId)}>
            <ErrorBoundary place={`${path} ${shown.telegramId}`}>
              <Suspense>
                <Switch>
                  {PAGES.map(({ path: pattern, name, Component }) => (
                    <Route key={pattern} path={pattern}>
                      {/* Before the page, which may have a title of its own. */}
                      <Title name={t(`pages.${name}`)} />
                      <Component key={shown.telegramId} />
                    </Route>
                  ))}
                  <Route>
                    <Title name={t("lonely.noPage")} />
                    <NoPage channelId={shown.telegramId} />
                  </Route>
                </Switch>
              </Suspense>
            </ErrorBoundary>
          </TimeZoneContext>
        </ChannelContext>
      ) : error && !data ? (
        <LoadFailed error={error} onRetry={() => void refetch().catch(() => {})} />
      ) : (
        isComplete && (
          <ErrorBoundary place={`${path} ${asked}`}>
            <Suspense>
              {asked !== null ? (
                <UnknownChannel asked={asked} channels={channels} />
              ) : data?.viewer.role === "ADMIN" ? (
                <START.Component />
              ) : (
                <NoChannel />
              )}
            </Suspense>
          </ErrorBoundary>
        )
      )}
      <Toasts />
      <Keys channels={channels} channelId={shown?.telegramId} isAdmin={data?.viewer.role === "ADMIN"} />
      {isRefused && (
        <LazyDialog onClose={null}>
          <SignInAgain />
        </LazyDialog>
      )}
    </>
  );
}
