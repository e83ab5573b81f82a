import { useMutation } from "@apollo/client/react";
import { type SubmitEvent, useRef, useState } from "react";
import { graphql } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { Icon } from "../../ui/Icon.js";
import { Problem } from "../../ui/Problem.js";

const CREATE_TYPE = graphql(`
  mutation CreateFirstType($input: CreateTagTypeInput!) {
    createTagType(input: $input) {
      __typename
      ... on CreateTagTypeSuccess {
        tagType {
          id
          name
        }
      }
      ...Problem
    }
  }
`);

interface Suggestion {
  readonly key: number;
  readonly name: string;
}

/** Suggests kinds of tags, which can be changed before they are made. */
export function TypesForm({ onSkip }: { readonly onSkip: () => void }) {
  const { t } = useI18n();
  const list = useRef<HTMLUListElement>(null);
  const [suggestions, setSuggestions] = useState<readonly Suggestion[]>(() =>
    [t("start.platform"), t("start.creative"), t("start.buyer")].map((name, key) => ({ key, name })),
  );
  const [create] = useMutation(CREATE_TYPE);
  const { problem, isBusy, attempt } = useAttempt();
  const add = () => {
    setSuggestions((before) => [
      ...before,
      { key: Math.max(-1, ...before.map(({ key }) => key)) + 1, name: "" },
    ]);
    requestAnimationFrame(() => [...(list.current?.querySelectorAll("input") ?? [])].at(-1)?.focus());
  };
  const rename = (key: number, name: string) =>
    setSuggestions((before) => before.map((one) => (one.key === key ? { key, name } : one)));
  const remove = (key: number) => {
    setSuggestions((before) => before.filter((one) => one.key !== key));
    list.current?.querySelector("input")?.focus();
  };

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const wanted = suggestions.filter(({ name }) => name.trim() !== "");
    if (wanted.length === 0) onSkip();
    void attempt(async () => {
      for (const { key, name } of wanted) {
        const isLast = key === wanted.at(-1)?.key;
        const { data } = await create({
          variables: { input: { name: name.trim() } },
          // Once there is a type, this form is gone; so the list is fetched after the last one.
          ...(isLast && { refetchQueries: ["Start", "TagTypes"] }),
        });
        const result = requireResult(data?.createTagType);
        if (result.__typename !== "CreateTagTypeSuccess") return result;
        if (!isLast) setSuggestions((before) => before.filter((one) => one.key !== key));
      }
      return null;
    });
  }

  return (
    <form className="types" onSubmit={submit}>
      <p className="muted">{t("start.typesHint")}</p>
      {problem && <Problem problem={problem} />}
      <ul ref={list}>
        {suggestions.map(({ key, name }, index) => (
          <li key={key}>
            <input
              aria-label={t("start.typeName", { count: index + 1 })}
              value={name}
              maxLength={64}
              dir="auto"
              autoComplete="off"
              onChange={({ target }) => rename(key, target.value)}
            />
            <button
              type="button"
              className="quiet icon-button"
              aria-label={t("start.removeType", { name })}
              onClick={() => remove(key)}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      <div className="step-buttons">
        <button type="submit" className="primary" aria-disabled={isBusy}>
          {t("start.makeTypes")}
        </button>
        <button type="button" onClick={add}>
          <Icon name="plus" /> {t("start.addType")}
        </button>
        <button type="button" className="quiet" onClick={onSkip}>
          {t("start.skip")}
        </button>
      </div>
    </form>
  );
}
