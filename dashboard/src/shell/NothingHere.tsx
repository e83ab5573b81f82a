import { Link } from "wouter";
import { useI18n } from "../i18n/index.js";
import { Name } from "../ui/Name.js";
import { addressFor } from "./channel.js";
import { Lonely } from "./Lonely.js";

export function NoPage({ channelId }: { readonly channelId: number }) {
  const { t } = useI18n();
  return (
    <Lonely title={t("lonely.noPage")}>
      <p className="muted">{t("nothingHere.noPageHint")}</p>
      <Link className="button" href={addressFor("/", channelId)}>
        {t("nothingHere.toLinks")}
      </Link>
    </Lonely>
  );
}

/** The channel in the address does not exist, or the token may not use it. */
export function UnknownChannel(props: {
  readonly asked: string;
  readonly channels: readonly { readonly telegramId: number; readonly title: string }[];
}) {
  const { t } = useI18n();
  return (
    <Lonely title={t("nothingHere.unknownChannel")}>
      <p className="muted">{t("nothingHere.unknownChannelHint", { channel: props.asked })}</p>
      <ul className="lonely-list">
        {props.channels.slice(0, 10).map(({ telegramId, title }) => (
          <li key={telegramId}>
            <Link href={addressFor("/", telegramId)}>
              <Name>{title}</Name>
            </Link>
          </li>
        ))}
      </ul>
    </Lonely>
  );
}

/** For those who may not connect a channel. */
export function NoChannel() {
  const { t } = useI18n();
  return (
    <Lonely title={t("nothingHere.noChannel")}>
      <p className="muted">{t("nothingHere.noChannelHint")}</p>
    </Lonely>
  );
}
