import { Suspense } from "react";
import { Link, useLocation, useSearch } from "wouter";
import type { ShellQuery } from "../api/gql/graphql.js";
import { useI18n } from "../i18n/index.js";
import { addressOf, navigationOf, PAGES } from "../pages/pages.js";
import { Boundary } from "../ui/Boundary.js";
import { Icon } from "../ui/Icon.js";
import { lazyPart } from "../ui/lazyPart.js";
import { Brand } from "./Brand.js";
import { addressFor } from "./channel.js";
import { press } from "./keys.js";
import { LanguageChoice } from "./LanguageChoice.js";
import { leave } from "./session.js";

const PendingCount = lazyPart(() => import("./PendingCount.js"));

export function TopBar(props: {
  readonly channels: readonly { readonly id: string; readonly telegramId: number; readonly title: string }[];
  /** The channel that is shown; undefined if there is none. */
  readonly channelId: number | undefined;
  /** Undefined until it is loaded. */
  readonly viewer: ShellQuery["viewer"] | undefined;
}) {
  const { channels, channelId, viewer } = props;
  const { t } = useI18n();
  const [path, navigate] = useLocation();
  const search = useSearch();
  const isOfChannel = PAGES.some((page) => page.isOfChannel && path.startsWith(`${addressOf(page)}/`));
  const hasFilter = PAGES.some((page) => page.path === path && page.hasFilter);
  return (
    <header className="top">
      <Brand />
      {channelId !== undefined && (
        <>
          <label className="channel">
            <span className="hidden">{t("shell.channel")}</span>
            {/* Another channel starts without a filter, since tags belong to one channel, and has other links. */}
            <select
              value={channelId}
              onChange={({ target }) => navigate(addressFor(isOfChannel ? "/" : path, Number(target.value)))}
            >
              {channels.map(({ id, telegramId, title }) => (
                <option key={id} value={telegramId} dir="auto">
                  {title}
                </option>
              ))}
            </select>
          </label>
          <nav aria-label={t("shell.pages")} className="pages">
            {navigationOf(viewer?.role === "ADMIN").map((page) => {
              const address = addressOf(page);
              return (
                <Link
                  key={address}
                  href={hasFilter && page.hasFilter ? `${address}?${search}` : addressFor(address, channelId)}
                  aria-current={path === address || path.startsWith(`${address}/`) ? "page" : undefined}
                >
                  {t(`pages.${page.name}`)}
                  {page.name === "requests" && (
                    <Boundary place={path} instead={() => null}>
                      <Suspense>
                        {" "}
                        <PendingCount channelId={channelId} />
                      </Suspense>
                    </Boundary>
                  )}
                </Link>
              );
            })}
          </nav>
        </>
      )}
      <span className="spring" />
      <button
        type="button"
        className="quiet icon-button jump"
        aria-label={t("shell.jump")}
        title={t("shell.jump")}
        aria-keyshortcuts="Control+K Meta+K"
        onClick={() => press("jump")}
      >
        <Icon name="search" />
      </button>
      <LanguageChoice />
      {viewer && (
        <span className="viewer">
          <span className="viewer-name" title={viewer.name}>
            {viewer.name}
          </span>
          <span className="role">{t(`role.${viewer.role}`)}</span>
        </span>
      )}
      <button
        type="button"
        className="quiet icon-button"
        aria-label={t("shell.signOut")}
        title={t("shell.signOut")}
        onClick={leave}
      >
        <Icon name="leave" />
      </button>
    </header>
  );
}
