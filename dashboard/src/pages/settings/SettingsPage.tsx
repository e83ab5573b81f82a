import { useQuery } from "@apollo/client/react";
import { Suspense } from "react";
import { Link, useParams } from "wouter";
import { graphql } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { addressFor, useChannel } from "../../shell/channel.js";
import { NoPage } from "../../shell/NothingHere.js";
import { lazyPart } from "../../ui/lazyPart.js";
import "../../parts/parts.css";
import "./settings.css";

/** What the token may set: one that is limited to some channels may not set what all channels share. */
const MAY_SET = graphql(`
  query MaySet {
    viewer {
      channelIds
    }
  }
`);

const SECTIONS = [
  { path: "tokens", isShared: false, Component: lazyPart(() => import("./TokensSection.js")) },
  { path: "channels", isShared: false, Component: lazyPart(() => import("./ChannelsSection.js")) },
  { path: "tag-types", isShared: true, Component: lazyPart(() => import("./TypesSection.js")) },
  { path: "webhooks", isShared: false, Component: lazyPart(() => import("./WebhooksSection.js")) },
  { path: "updates", isShared: true, Component: lazyPart(() => import("./UpdatesSection.js")) },
] as const;

/** What administrators set: who may use the server, where, and whom it tells. */
export default function SettingsPage() {
  const { t } = useI18n();
  const { role, isAdmin, channelId } = useChannel();
  const asked = useParams<{ section?: string }>().section;
  const { data, error, refetch } = useQuery(MAY_SET);
  if (role !== undefined && !isAdmin)
    return (
      <main id="main" tabIndex={-1} className="settings">
        <h1>{t("pages.settings")}</h1>
        <p className="notice">{t("settings.onlyAdmins")}</p>
      </main>
    );
  const mayAll = data?.viewer.channelIds === null;
  const sections = SECTIONS.filter(({ isShared }) => !isShared || mayAll);
  const section = sections.find(({ path }) => path === (asked ?? "tokens"));
  if (data && section === undefined) return <NoPage channelId={channelId} />;
  return (
    <div className="settings">
      <nav aria-label={t("pages.settings")} className="sections">
        {sections.map(({ path }) => (
          <Link
            key={path}
            href={addressFor(`/settings/${path}`, channelId)}
            aria-current={path === section?.path ? "page" : undefined}
          >
            {t(`settings.sections.${path}`)}
          </Link>
        ))}
      </nav>
      <main id="main" tabIndex={-1}>
        {section && data ? (
          <Suspense fallback={<Loading />}>
            <section.Component mayAll={mayAll} />
          </Suspense>
        ) : (
          <Loading error={error} refetch={refetch} />
        )}
      </main>
    </div>
  );
}
