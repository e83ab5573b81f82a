import { useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { UncertainCreationsQuery } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { LazyDialog } from "../../shell/LazyDialog.js";
import { Icon } from "../../ui/Icon.js";
import { lazyPart } from "../../ui/lazyPart.js";
import { type LostCreation, useLostCreations } from "./lostCreations.js";

const SettleDialog = lazyPart(() => import("./SettleDialog.js"));

const UNCERTAIN_CREATIONS = graphql(`
  query UncertainCreations {
    uncertainCreations {
      id
      name
      budget
      createdAt
      channel {
        id
        telegramId
        currency
      }
    }
  }
`);

export type UncertainCreation = UncertainCreationsQuery["uncertainCreations"][number];

/** The creations with an unknown outcome in the channel that is shown; none unless the user may settle them. */
export function useUncertainCreations() {
  const { channelId, isAdmin } = useChannel();
  const { data } = useQuery(UNCERTAIN_CREATIONS, { skip: !isAdmin });
  return data?.uncertainCreations.filter(({ channel }) => channel.telegramId === channelId) ?? [];
}

/** Says how many creations there are of which Telegram's answer was lost. A dialog has the ways out of it. */
export function UncertainCreations({ onRepeat }: { readonly onRepeat: (lost: LostCreation) => void }) {
  const { t, number } = useI18n();
  const { channelId } = useChannel();
  const creations = useUncertainCreations();
  const lost = useLostCreations().filter((one) => one.channelId === channelId);
  const [isOpen, setIsOpen] = useState(false);
  const close = () => setIsOpen(false);
  const count = creations.length + lost.length;
  if (count === 0) return null;
  return (
    <>
      <div role="status" className="notice">
        <Icon name="alert" />
        <span className="spring">{t("uncertain.notice", { count, shown: number(count) })}</span>
        <button type="button" aria-haspopup="dialog" onClick={() => setIsOpen(true)}>
          {t("uncertain.open")}
        </button>
      </div>
      {isOpen && (
        <LazyDialog onClose={close}>
          <SettleDialog creations={creations} lost={lost} onRepeat={onRepeat} onClose={close} />
        </LazyDialog>
      )}
    </>
  );
}
