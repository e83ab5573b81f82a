import { type ReactNode, useContext, useEffect } from "react";
import { useLocation } from "wouter";
import { useI18n } from "../../i18n/index.js";
import { ChannelContext } from "../../shell/channel.js";
import { ChannelSteps } from "./ChannelSteps.js";
import { FirstSteps } from "./FirstSteps.js";
import "./start.css";

/** The way from a bot to the first member who came by a link, step by step. Without a channel it is the only page. */
export default function StartPage() {
  const { t } = useI18n();
  const channel = useContext(ChannelContext);
  const [path, navigate] = useLocation();
  const hasChannel = channel !== null;
  useEffect(() => {
    // The page stays when its first channel comes.
    if (!hasChannel && path !== "/start") navigate("/start", { replace: true });
  }, [hasChannel, path, navigate]);
  useEffect(() => {
    // The form that connected the channel is gone.
    if (document.activeElement === document.body) document.getElementById("main")?.focus();
  }, []);
  return (
    <Frame>
      {channel === null ? (
        <FirstSteps />
      ) : channel.canEdit ? (
        <ChannelSteps />
      ) : (
        channel.role !== undefined && <p className="notice">{t("start.notForViewers")}</p>
      )}
    </Frame>
  );
}

function Frame({ children }: { readonly children: ReactNode }) {
  const { t } = useI18n();
  return (
    <main id="main" tabIndex={-1} className="start">
      <h1>{t("start.title")}</h1>
      <p className="muted">{t("start.hint")}</p>
      {children}
    </main>
  );
}
