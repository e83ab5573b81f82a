import { useQuery } from "@apollo/client/react";
import { graphql } from "../api/gql/index.js";
import { useI18n } from "../i18n/index.js";
import { sandboxToken } from "../shell/session.js";
import { Icon } from "../ui/Icon.js";
import "./parts.css";

const BOT = graphql(`
  query Bot {
    viewer {
      bot {
        username
        name
      }
    }
  }
`);

/** The only right that links need, as Telegram's addresses name it. */
const RIGHT = "invite_users";

/** How the bot becomes an administrator with the right that links need. Telegram has an address that does it all. */
export function AddBot() {
  const { t } = useI18n();
  const { data } = useQuery(BOT);
  const bot = data?.viewer.bot;
  // Telegram itself does not know the sandbox's bot.
  const username = sandboxToken === null ? bot?.username : undefined;
  const steps = (
    <ol className="how">
      <li>{t("parts.addBotOpen")}</li>
      <li>{bot ? t("parts.addBotFindName", { name: `@${bot.username}` }) : t("parts.addBotFind")}</li>
      <li>{t("parts.addBotRight")}</li>
    </ol>
  );
  if (username === undefined) return steps;
  return (
    <>
      <p className="muted">{t("parts.addBotHint", { name: `@${username}` })}</p>
      <div className="thing-buttons">
        {(["channel", "group"] as const).map((kind) => (
          <a
            key={kind}
            className={kind === "channel" ? "button primary" : "button"}
            href={`https://t.me/${username}?start${kind}&admin=${RIGHT}`}
            target="_blank"
            rel="noreferrer"
          >
            <Icon name="plus" /> {t(`parts.addBotTo.${kind}`)}
          </a>
        ))}
      </div>
      <details>
        <summary>{t("parts.addBotByHand")}</summary>
        {steps}
      </details>
    </>
  );
}
