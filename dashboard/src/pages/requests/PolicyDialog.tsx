import { useRef } from "react";
import { read } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { JOIN_REQUEST_POLICY, PolicyFields, readPolicy, useSetPolicy } from "../../parts/link/policy.js";
import { Dialog, useCloseDialog } from "../../ui/Dialog.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import type { WaitingLink } from "./WaitingLinks.js";

/** Changes who decides the requests by a link. */
export function PolicyDialog({
  link,
  onClose,
}: {
  readonly link: WaitingLink;
  readonly onClose: () => void;
}) {
  const { t } = useI18n();
  const name = link.name ?? t("links.unnamed");
  return (
    <Dialog title={t("requests.policyOf", { name })} onClose={onClose}>
      <PolicyForm link={link} name={name} onClose={onClose} />
    </Dialog>
  );
}

function PolicyForm(props: {
  readonly link: WaitingLink;
  readonly name: string;
  readonly onClose: () => void;
}) {
  const { link, name, onClose } = props;
  const { t } = useI18n();
  const close = useCloseDialog();
  const form = useRef<HTMLFormElement>(null);
  const [set] = useSetPolicy();
  const { problem, isBusy, attempt } = useAttempt();
  const save = () =>
    attempt(async () => {
      const policy = form.current && readPolicy(form.current);
      if (!policy) return null;
      const { data } = await set({ variables: { input: { inviteLinkId: link.id, ...policy } } });
      const result = requireResult(data?.setJoinRequestPolicy);
      if (result.__typename !== "SetJoinRequestPolicySuccess") return result;
      onClose();
      toast({ message: t("links.changed", { name }) });
      return null;
    });
  return (
    <form
      ref={form}
      className="fields"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {problem && <Problem problem={problem} fields={["approveAfterSeconds", "inviteLinkId"]} />}
      <PolicyFields policy={read(JOIN_REQUEST_POLICY, link).joinRequestPolicy} problem={problem} />
      <footer className="dialog-foot">
        <button type="button" onClick={close}>
          {t("common.cancel")}
        </button>
        <button type="submit" className="primary" aria-disabled={isBusy}>
          {t("common.save")}
        </button>
      </footer>
    </form>
  );
}
