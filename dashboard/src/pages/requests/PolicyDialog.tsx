import { read } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import {
  isSamePolicy,
  JOIN_REQUEST_POLICY,
  PolicyFields,
  readPolicy,
  useSetPolicy,
} from "../../parts/link/policy.js";
import { Dialog } from "../../ui/Dialog.js";
import { DialogForm } from "../../ui/DialogForm.js";
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
  const policy = read(JOIN_REQUEST_POLICY, link).joinRequestPolicy;
  const [set] = useSetPolicy();
  const { problem, isBusy, attempt } = useAttempt();
  const save = (form: HTMLFormElement) =>
    attempt(async () => {
      const chosen = readPolicy(form);
      if (!chosen) return null;
      const { data } = await set({ variables: { input: { inviteLinkId: link.id, ...chosen } } });
      const result = requireResult(data?.setJoinRequestPolicy);
      if (result.__typename !== "SetJoinRequestPolicySuccess") return result;
      onClose();
      toast({ message: t("form.changed", { name }) });
      return null;
    });
  return (
    <DialogForm
      problem={problem}
      fields={["approveAfterSeconds", "inviteLinkId"]}
      isBusy={isBusy}
      submit={t("common.save")}
      isChanged={(form) => {
        const chosen = readPolicy(form);
        return chosen !== null && !isSamePolicy(chosen, policy);
      }}
      onSubmit={save}
    >
      <PolicyFields policy={policy} problem={problem} />
    </DialogForm>
  );
}
