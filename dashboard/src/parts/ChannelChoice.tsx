import { useId, useState } from "react";
import { fieldProblem, type ProblemView } from "../api/problems.js";
import { useI18n } from "../i18n/index.js";
import { Name } from "../ui/Name.js";
import { useChannels } from "./useChannels.js";
import "./parts.css";

/** What {@link ChannelChoice} says in its form: the Telegram chat ids; null for all channels. */
export const chosenChannels = (data: FormData): number[] | null =>
  data.get("allChannels") === "yes" ? null : data.getAll("channelIds").map(Number);

/** The channels that something is for: all of them, or some. */
export function ChannelChoice(props: {
  /** Null for all channels. */
  readonly initial: readonly number[] | null;
  /** Whether the user may choose all channels. */
  readonly mayAll: boolean;
  readonly problem: ProblemView | null;
}) {
  const { initial, mayAll, problem } = props;
  const { t } = useI18n();
  const channels = useChannels();
  const wrongId = useId();
  const [isAll, setIsAll] = useState(mayAll && initial === null);
  const wrong = fieldProblem(problem, "channelIds");
  return (
    <fieldset className="choice" aria-describedby={wrong === null ? undefined : wrongId}>
      <legend>{t("parts.channels")}</legend>
      {mayAll && (
        <>
          <label className="check">
            <input
              type="radio"
              name="allChannels"
              value="yes"
              checked={isAll}
              onChange={() => setIsAll(true)}
            />
            {t("parts.allChannels")}
          </label>
          <label className="check">
            <input
              type="radio"
              name="allChannels"
              value="no"
              checked={!isAll}
              onChange={() => setIsAll(false)}
            />
            {t("parts.someChannels")}
          </label>
        </>
      )}
      {!isAll && (
        <ul className="choice-list">
          {channels.map(({ id, telegramId, title }) => (
            <li key={id}>
              <label className="check">
                <input
                  type="checkbox"
                  name="channelIds"
                  value={telegramId}
                  defaultChecked={initial?.includes(telegramId) ?? false}
                />
                <Name>{title}</Name>
              </label>
            </li>
          ))}
        </ul>
      )}
      {wrong !== null && (
        <p id={wrongId} className="field-problem">
          {wrong}
        </p>
      )}
    </fieldset>
  );
}

/** The names of channels as one text. @param ids null for all channels */
export function ChannelList({ ids }: { readonly ids: readonly number[] | null | undefined }) {
  const { t } = useI18n();
  const channels = useChannels();
  if (ids == null) return t("parts.allChannels");
  return ids.map((id, index) => (
    <span key={id}>
      {index > 0 && ", "}
      <Name>{channels.find(({ telegramId }) => telegramId === id)?.title ?? String(id)}</Name>
    </span>
  ));
}
