import { useI18n } from "../../i18n/index.js";
import { useChannel } from "../../shell/channel.js";
import { Batches } from "./Batches.js";
import { CreateMany } from "./CreateMany.js";
import { ImportFile } from "./ImportFile.js";
import { addToDraft } from "./sentLists.js";
import "./bulkPage.css";

/** Creates many links at once, shows what has become of them, and imports existing ones. */
export default function BulkPage() {
  const { t } = useI18n();
  const { channelId, canEdit, isAdmin } = useChannel();
  return (
    <main id="main" tabIndex={-1} className="bulk-page">
      <h1>{t("pages.bulk")}</h1>
      {canEdit && <CreateMany />}
      <Batches
        onAgain={(lines) => {
          addToDraft(channelId, lines);
          document.querySelector("textarea")?.focus();
        }}
      />
      {isAdmin && <ImportFile />}
    </main>
  );
}
