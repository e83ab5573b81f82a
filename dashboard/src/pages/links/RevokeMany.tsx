import { useApolloClient } from "@apollo/client/react";
import { useEffect, useRef, useState } from "react";
import { failureOf } from "../../api/failure.js";
import { read } from "../../api/gql/index.js";
import { updateLists } from "../../api/listUpdates.js";
import { PROBLEM, type ProblemView, requireResult } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { REVOKE } from "../../parts/link/RevokeLink.js";
import { why } from "../../parts/link/why.js";
import { useChannel } from "../../shell/channel.js";
import { Dialog } from "../../ui/Dialog.js";
import { Name } from "../../ui/Name.js";
import type { SelectedLink } from "./selection.js";

interface Refused {
  readonly link: SelectedLink;
  readonly problem: ProblemView;
}

interface Progress {
  readonly total: number;
  readonly revoked: number;
  readonly refused: readonly Refused[];
  /** Not tried yet. */
  readonly rest: readonly SelectedLink[];
  readonly isRunning: boolean;
}

/** Revokes links one after another, and says of each that was not revoked why. */
export function RevokeMany(props: {
  readonly links: readonly SelectedLink[];
  /** Called when all is done. */
  readonly onDone: () => void;
  readonly onClose: () => void;
}) {
  const { links, onDone, onClose } = props;
  const { t, number } = useI18n();
  const { channelId } = useChannel();
  const client = useApolloClient();
  const [able] = useState(() => links.filter(({ isRevoked, isBotCreated }) => !isRevoked && isBotCreated));
  const [progress, setProgress] = useState<Progress | null>(null);
  const [secondsLeft, setSecondsLeft] = useState(0);
  const isStopped = useRef(false);
  useEffect(
    () => () => {
      isStopped.current = true;
    },
    [],
  );

  /** Waits as long as Telegram asks, or until it is stopped. */
  async function wait(seconds: number): Promise<void> {
    for (let left = seconds; left > 0 && !isStopped.current; left -= 1) {
      setSecondsLeft(left);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    setSecondsLeft(0);
  }

  /** @returns why the link was not revoked; null if it was */
  async function revoke({ id }: SelectedLink): Promise<ProblemView | null> {
    for (;;) {
      try {
        const { data } = await client.mutate({ mutation: REVOKE, variables: { input: { id } } });
        const result = requireResult(data?.revokeInviteLink);
        if (result.__typename === "RevokeInviteLinkSuccess") return null;
        const problem = read(PROBLEM, result);
        if (problem.__typename !== "RateLimitedError" || isStopped.current) return problem;
        await wait(problem.retryAfterSeconds);
        if (isStopped.current) return problem;
      } catch (error) {
        return failureOf(error);
      }
    }
  }

  async function start(wanted: readonly SelectedLink[]): Promise<void> {
    isStopped.current = false;
    const revoked = progress?.revoked ?? 0;
    let now: Progress = {
      total: revoked + wanted.length,
      revoked,
      refused: [],
      rest: wanted,
      isRunning: true,
    };
    setProgress(now);
    for (const [index, link] of wanted.entries()) {
      if (isStopped.current) break;
      const problem = await revoke(link);
      now =
        problem === null
          ? { ...now, revoked: now.revoked + 1 }
          : { ...now, refused: [...now.refused, { link, problem }] };
      now = { ...now, rest: wanted.slice(index + 1) };
      setProgress(now);
      // All others would fail in the same way.
      if (problem?.__typename === "Unreachable") break;
    }
    setProgress({ ...now, isRunning: false });
    updateLists(client, channelId);
  }

  const count = able.length;
  const leftOut = links.length - count;
  const done = progress ? progress.revoked + progress.refused.length : 0;
  const again = progress ? [...progress.refused.map(({ link }) => link), ...progress.rest] : [];
  const close = () => {
    if (progress && !progress.isRunning) onDone();
    onClose();
  };
  return (
    <Dialog title={t("bulk.revokeTitle", { count, shown: number(count) })} onClose={close}>
      {progress === null ? (
        <>
          <p>{t("bulk.revokeHint")}</p>
          {leftOut > 0 && (
            <p className="muted">{t("bulk.leftOut", { count: leftOut, shown: number(leftOut) })}</p>
          )}
          <footer className="dialog-foot">
            <button type="button" data-first onClick={close}>
              {t("common.cancel")}
            </button>
            {count > 0 && (
              <button type="button" className="primary danger" onClick={() => void start(able)}>
                {t("bulk.revokeCount", { count, shown: number(count) })}
              </button>
            )}
          </footer>
        </>
      ) : (
        <>
          <progress max={progress.total} value={done} aria-label={t("bulk.progress")} />
          <p role="status">
            {progress.isRunning
              ? secondsLeft > 0 && t("problem.RateLimitedError")
              : t("bulk.revoked", { count: progress.revoked, shown: number(progress.revoked) })}
          </p>
          {progress.isRunning && (
            <p className="muted">
              {secondsLeft > 0
                ? t("problem.asksToWait", { count: secondsLeft })
                : t("bulk.done", { shown: number(done), total: number(progress.total) })}
            </p>
          )}
          {progress.refused.length > 0 && (
            <ul className="refused" aria-label={t("bulk.refused")}>
              {progress.refused.map(({ link, problem }) => (
                <li key={link.id}>
                  <strong>
                    <Name>{link.name ?? t("links.unnamed")}</Name>
                  </strong>{" "}
                  {why(problem, t)}
                </li>
              ))}
            </ul>
          )}
          <footer className="dialog-foot">
            {progress.isRunning ? (
              <button
                type="button"
                onClick={() => {
                  isStopped.current = true;
                }}
              >
                {t("bulk.stop")}
              </button>
            ) : (
              <>
                {again.length > 0 && (
                  <button type="button" onClick={() => void start(again)}>
                    {t("common.tryAgain")}
                  </button>
                )}
                <button type="button" className="primary" onClick={close}>
                  {t("common.close")}
                </button>
              </>
            )}
          </footer>
        </>
      )}
    </Dialog>
  );
}
