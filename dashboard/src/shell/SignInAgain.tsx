import { useApolloClient } from "@apollo/client/react";
import { useI18n } from "../i18n/index.js";
import { Dialog } from "../ui/Dialog.js";
import { leave } from "./session.js";
import { TokenForm } from "./TokenForm.js";

/** Asks for a token above everything else after the server has rejected the last one. What is on the page stays, unless the user signs out. */
export default function SignInAgain() {
  const { t } = useI18n();
  const client = useApolloClient();
  return (
    <Dialog title={t("signIn.again")} onClose={null}>
      <p className="muted">{t("signIn.againHint")}</p>
      <TokenForm onEntered={() => void client.refetchQueries({ include: "active" }).catch(() => {})} />
      <footer className="dialog-foot">
        <button type="button" className="quiet" onClick={leave}>
          {t("shell.signOut")}
        </button>
      </footer>
    </Dialog>
  );
}
