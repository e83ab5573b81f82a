import { useMutation, useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { TypeListQuery } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { Confirm } from "../../parts/Confirm.js";
import { Loading } from "../../parts/Loading.js";
import { Dialog } from "../../ui/Dialog.js";
import { DialogForm } from "../../ui/DialogForm.js";
import { Field } from "../../ui/Field.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { toast } from "../../ui/toast.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import { evictTypes } from "./evictTypes.js";
import { Section } from "./Section.js";

const TYPE_LIST = graphql(`
  query TypeList {
    tagTypes {
      id
      name
    }
  }
`);

const CREATE_TYPE = graphql(`
  mutation CreateType($input: CreateTagTypeInput!) {
    createTagType(input: $input) {
      __typename
      ... on CreateTagTypeSuccess {
        tagType {
          id
        }
      }
      ...Problem
    }
  }
`);

const RENAME_TYPE = graphql(`
  mutation RenameType($input: UpdateTagTypeInput!) {
    updateTagType(input: $input) {
      __typename
      ... on UpdateTagTypeSuccess {
        tagType {
          id
          name
        }
      }
      ...Problem
    }
  }
`);

const DELETE_TYPE = graphql(`
  mutation DeleteType($input: DeleteTagTypeInput!) {
    deleteTagType(input: $input) {
      __typename
      ... on DeleteTagTypeSuccess {
        deletedTagTypeId
      }
      ...Problem
    }
  }
`);

type Type = TypeListQuery["tagTypes"][number];

/** The kinds of tags, which all channels share. */
export default function TypesSection() {
  const { t } = useI18n();
  const { data, previousData, error, refetch } = useQuery(TYPE_LIST, { fetchPolicy: "cache-and-network" });
  const shown = data ?? previousData;
  const { dialog, open, close } = useOpenDialog<{
    readonly kind: "edit" | "delete";
    readonly type: Type | null;
  }>();
  return (
    <Section
      title={t("settings.sections.tag-types")}
      hint={t("settings.types.hint")}
      action={
        <button type="button" className="primary" onClick={() => open({ kind: "edit", type: null })}>
          <Icon name="plus" /> {t("settings.types.create")}
        </button>
      }
    >
      {shown === undefined ? (
        <Loading error={error} refetch={refetch} />
      ) : shown.tagTypes.length === 0 ? (
        <p className="card nothing">{t("settings.types.none")}</p>
      ) : (
        <ul className="card things">
          {shown.tagTypes.map((type) => (
            <li key={type.id}>
              <p className="thing thing-name">
                <Name>{type.name}</Name>
              </p>
              <div className="thing-buttons">
                <button
                  type="button"
                  aria-label={t("settings.types.renameOf", { name: type.name })}
                  onClick={() => open({ kind: "edit", type })}
                >
                  {t("settings.types.rename")}
                </button>
                <button
                  type="button"
                  className="danger"
                  aria-label={t("settings.deleteOf", { name: type.name })}
                  onClick={() => open({ kind: "delete", type })}
                >
                  {t("settings.delete")}
                </button>
              </div>
            </li>
          ))}
        </ul>
      )}
      {dialog?.kind === "edit" && (
        <Dialog
          title={
            dialog.type
              ? t("settings.types.renameOf", { name: dialog.type.name })
              : t("settings.types.create")
          }
          onClose={close}
        >
          <TypeForm type={dialog.type} onClose={close} />
        </Dialog>
      )}
      {dialog?.kind === "delete" && dialog.type && <DeleteType type={dialog.type} onClose={close} />}
    </Section>
  );
}

function TypeForm({ type, onClose }: { readonly type: Type | null; readonly onClose: () => void }) {
  const { t } = useI18n();
  // A name decides the place in the list, and the list of facets.
  const [create] = useMutation(CREATE_TYPE, { update: evictTypes });
  const [rename] = useMutation(RENAME_TYPE, { update: evictTypes });
  const { problem, isBusy, attempt } = useAttempt();
  const [isEmpty, setIsEmpty] = useState(false);
  const nameIn = (form: HTMLFormElement) => String(new FormData(form).get("name")).trim();
  function submit(form: HTMLFormElement): void {
    const name = nameIn(form);
    setIsEmpty(name === "");
    if (name === "") return;
    void attempt(async () => {
      const result = requireResult(
        type
          ? (await rename({ variables: { input: { id: type.id, name } } })).data?.updateTagType
          : (await create({ variables: { input: { name } } })).data?.createTagType,
      );
      if (result.__typename !== "CreateTagTypeSuccess" && result.__typename !== "UpdateTagTypeSuccess")
        return result;
      onClose();
      toast({
        message: type ? t("settings.types.renamed", { name }) : t("settings.types.created", { name }),
      });
      return null;
    });
  }
  return (
    <DialogForm
      problem={problem}
      fields={["name"]}
      isBusy={isBusy}
      submit={type ? t("common.save") : t("settings.types.create")}
      {...(type && { isChanged: (form: HTMLFormElement) => nameIn(form) !== type.name })}
      onSubmit={submit}
    >
      <Field
        name="name"
        label={t("form.name")}
        hint={t("settings.types.nameHint")}
        defaultValue={type?.name ?? ""}
        required
        maxLength={64}
        autoComplete="off"
        problem={problem}
        wrong={isEmpty ? t("form.required") : undefined}
      />
    </DialogForm>
  );
}

function DeleteType({ type, onClose }: { readonly type: Type; readonly onClose: () => void }) {
  const { t } = useI18n();
  const [remove] = useMutation(DELETE_TYPE, { update: evictTypes });
  const { problem, isBusy, attempt } = useAttempt();
  const { id, name } = type;
  const submit = () =>
    attempt(async () => {
      const result = requireResult((await remove({ variables: { input: { id } } })).data?.deleteTagType);
      if (result.__typename !== "DeleteTagTypeSuccess") return result;
      onClose();
      toast({ message: t("settings.types.deleted", { name }) });
      return null;
    });
  return (
    <Confirm
      title={t("settings.deleteTitle", { name })}
      action={t("settings.delete")}
      problem={problem}
      isBusy={isBusy}
      onConfirm={submit}
      onClose={onClose}
    >
      <p>{t("settings.types.deleteHint")}</p>
    </Confirm>
  );
}
