import { useApolloClient } from "@apollo/client/react";
import { useState } from "react";
import { messageOf } from "../../api/failure.js";
import type { AllLinksQueryVariables, InviteLinkFilter } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { LazyDialog } from "../../shell/LazyDialog.js";
import { Icon } from "../../ui/Icon.js";
import { lazyPart } from "../../ui/lazyPart.js";
import { toast } from "../../ui/toast.js";
import { exportLinks } from "./exportLinks.js";
import { RevokeMany } from "./RevokeMany.js";
import type { SelectedLink, Selection } from "./selection.js";
import "./bulk.css";

const TagMany = lazyPart(() => import("./TagMany.js"));

const ALL_LINKS = graphql(`
  query AllLinks($channelId: TelegramID!, $filter: InviteLinkFilter, $after: String) {
    inviteLinks(channelId: $channelId, filter: $filter, first: 100, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
        name
        isRevoked
        isBotCreated
        tags {
          id
        }
      }
    }
  }
`);

/** The longest address of a request takes the ids of so many links. */
const IDS_PER_EXPORT = 100;

const portionsOf = (ids: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(ids.length / IDS_PER_EXPORT) }, (_, at) =>
    ids.slice(at * IDS_PER_EXPORT, (at + 1) * IDS_PER_EXPORT),
  );

/** What can be done with the selected links together. */
export default function BulkBar(props: {
  readonly selected: Selection;
  readonly filter: InviteLinkFilter;
  /** How many links match the filter; undefined until it is loaded. */
  readonly totalCount: number | undefined;
  /** @param before the selection that is replaced, unless it was changed meanwhile */
  readonly onSelect: (selection: Selection, before: Selection) => void;
  readonly onClear: () => void;
}) {
  const { selected, filter, totalCount = 0, onSelect, onClear } = props;
  const { t, number } = useI18n();
  const { channelId, title, isAdmin } = useChannel();
  const client = useApolloClient();
  const [dialog, setDialog] = useState<{ readonly kind: "tag" | "revoke" } | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const links = [...selected.values()];
  // A request may end after its dialog was left for another one, which stays.
  const close = () => setDialog((shown) => (shown === dialog ? null : shown));

  async function whileBusy(
    run: () => Promise<void>,
    failed: "bulk.selectFailed" | "links.exportFailed",
  ): Promise<void> {
    if (isBusy) return;
    setIsBusy(true);
    await run().catch((error: unknown) => {
      const reason = messageOf(error, t("common.unreachable"));
      toast({ message: t(failed, { reason }), isProblem: true });
    });
    setIsBusy(false);
  }

  async function selectAll(): Promise<void> {
    const all = new Map<string, SelectedLink>();
    let after: string | null | undefined = null;
    do {
      const variables: AllLinksQueryVariables = { channelId, filter, after };
      const { data } = await client.query({ query: ALL_LINKS, variables, fetchPolicy: "no-cache" });
      for (const link of data?.inviteLinks.nodes ?? []) all.set(link.id, link);
      const page = data?.inviteLinks.pageInfo;
      after = page?.hasNextPage ? page.endCursor : null;
    } while (after);
    onSelect(all, selected);
  }

  const ids = [...selected.keys()];
  const exportSelected = () =>
    exportLinks({
      channelId,
      title,
      filters: portionsOf(ids).map((portion) => ({ ids: portion })),
    });

  return (
    <section className="bulk" aria-label={t("bulk.title")} aria-busy={isBusy}>
      <strong role="status">
        {t("bulk.selected", { count: selected.size, shown: number(selected.size) })}
      </strong>
      {totalCount > selected.size && (
        <button
          type="button"
          className="quiet slim"
          onClick={() => void whileBusy(selectAll, "bulk.selectFailed")}
        >
          {t("bulk.selectAll", { count: totalCount, shown: number(totalCount) })}
        </button>
      )}
      <span className="spring" />
      <button type="button" aria-haspopup="dialog" onClick={() => setDialog({ kind: "tag" })}>
        <Icon name="tag" /> {t("links.tags")}
      </button>
      {isAdmin && (
        <button type="button" onClick={() => void whileBusy(exportSelected, "links.exportFailed")}>
          {t("bulk.export")}
        </button>
      )}
      <button
        type="button"
        className="danger"
        aria-haspopup="dialog"
        onClick={() => setDialog({ kind: "revoke" })}
      >
        <Icon name="revoke" /> {t("bulk.revoke")}
      </button>
      <button type="button" className="quiet icon-button" aria-label={t("bulk.clear")} onClick={onClear}>
        <Icon name="close" />
      </button>
      {dialog?.kind === "tag" && (
        <LazyDialog onClose={close}>
          <TagMany links={links} onDone={onClear} onClose={close} />
        </LazyDialog>
      )}
      {dialog?.kind === "revoke" && <RevokeMany links={links} onDone={onClear} onClose={close} />}
    </section>
  );
}
