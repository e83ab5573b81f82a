import { useMutation, useQuery } from "@apollo/client/react";
import { useId, useMemo } from "react";
import { graphql } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { Loading } from "../../parts/Loading.js";
import { useChannel } from "../../shell/channel.js";
import { Name } from "../../ui/Name.js";
import { Problem } from "../../ui/Problem.js";
import { toast } from "../../ui/toast.js";
import { type ListedLink, MOST_LINKS, nameOf, parseLinks } from "./parseLinks.js";
import { clearSent, keepDraft, keepList, sendingKey, useDraft } from "./sentLists.js";

const KNOWN = graphql(`
  query KnownForList($channelId: TelegramID!) {
    channel(telegramId: $channelId) {
      id
      currency
    }
    inviteLinks(channelId: $channelId, first: 0) {
      facets {
        type {
          id
          name
        }
        tags {
          tag {
            id
            name
          }
        }
      }
    }
  }
`);

const CREATE_MANY = graphql(`
  mutation CreateLinks($input: CreateInviteLinksInput!) {
    createInviteLinks(input: $input) {
      __typename
      ... on CreateInviteLinksSuccess {
        batch {
          id
          ...Batch
        }
      }
      ...Problem
    }
  }
`);

/** As many links as the preview shows. */
const PREVIEWED = 200;

const lineFor = ({ name, budget, tags }: ListedLink): string =>
  [name, budget === "0" ? "" : budget, tags.map(nameOf).join(", ")].join("\t").trimEnd();

/** A list of links to be created, with a preview of what it says. */
export function CreateMany() {
  const { t, number, money } = useI18n();
  const { channelId } = useChannel();
  const text = useDraft(channelId);
  const id = useId();
  const { data, error, refetch } = useQuery(KNOWN, {
    variables: { channelId },
    fetchPolicy: "cache-and-network",
  });
  const [create] = useMutation(CREATE_MANY, { refetchQueries: ["Batches"] });
  const { problem, isBusy, attempt } = useAttempt();
  const links = useMemo(() => {
    const facets = data?.inviteLinks.facets ?? [];
    return parseLinks(
      text,
      facets.flatMap(({ type, tags }) => tags.map(({ tag }) => ({ ...tag, type: type.name }))),
    );
  }, [text, data]);
  const wrong = links.filter((link) => link.wrong !== null);
  const isTooMany = links.length > MOST_LINKS;
  const canSend = links.length > 0 && wrong.length === 0 && !isTooMany && data !== undefined;
  const currency = data?.channel?.currency ?? "USD";
  const budget = links.reduce((sum, link) => sum + Number(link.budget), 0);
  /** What the server says about a link. */
  const refusedOf = (index: number): string =>
    problem?.__typename === "ValidationError"
      ? problem.fieldErrors
          .filter(({ field }) => field.startsWith(`links.${index}.`))
          .map(({ message }) => message)
          .join(" ")
      : "";

  /** What is wrong comes first, since it may be far below. */
  const previewed = links
    .map((link, index) => ({ link, index, rank: link.wrong !== null || refusedOf(index) !== "" ? 0 : 1 }))
    .sort((one, other) => one.rank - other.rank)
    .slice(0, PREVIEWED);

  const send = () =>
    attempt(async () => {
      const { data: answer } = await create({
        variables: {
          input: {
            channelId,
            idempotencyKey: sendingKey(channelId, text),
            links: links.map(({ name, budget: amount, tags }) => ({
              name,
              budget: amount,
              tagIds: tags.map((tag) => tag.id),
            })),
          },
        },
      });
      const result = requireResult(answer?.createInviteLinks);
      if (result.__typename !== "CreateInviteLinksSuccess") return result;
      keepList(result.batch.id, links.map(lineFor));
      clearSent(channelId, text);
      toast({ message: t("batch.sent", { count: links.length, shown: number(links.length) }) });
      return null;
    });

  return (
    <section className="card many" aria-label={t("batch.create")}>
      <h2>{t("batch.create")}</h2>
      <form
        className="fields"
        onSubmit={(event) => {
          event.preventDefault();
          if (canSend && !isBusy) void send();
        }}
      >
        <div className="field">
          <label htmlFor={id}>{t("batch.list")}</label>
          <textarea
            id={id}
            rows={6}
            dir="auto"
            spellCheck={false}
            value={text}
            readOnly={isBusy}
            placeholder={t("batch.example")}
            aria-describedby={`${id}-hint`}
            onChange={({ target }) => keepDraft(channelId, target.value)}
            onKeyDown={(event) => {
              // The tab between two cells is pasted; the key itself moves the focus.
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
                event.currentTarget.form?.requestSubmit();
            }}
          />
          <span id={`${id}-hint`} className="small muted">
            {t("batch.hint")}
          </span>
        </div>
        {problem && (
          <Problem problem={problem} fields={problem.__typename === "ValidationError" ? ["links"] : []} />
        )}
        {error && !data && <Loading error={error} refetch={refetch} />}
        {links.length > 0 && (
          <>
            <p role="status">
              {isTooMany
                ? t("batch.tooMany", { most: number(MOST_LINKS) })
                : wrong.length > 0
                  ? t("batch.wrong", { count: wrong.length, shown: number(wrong.length) })
                  : t("batch.ready", {
                      count: links.length,
                      shown: number(links.length),
                      budget: money(budget.toFixed(2), currency),
                    })}
            </p>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who uses a keyboard must be able to scroll it. */}
            <section className="preview" tabIndex={0} aria-label={t("batch.preview")}>
              <table>
                <thead>
                  <tr>
                    <th scope="col">{t("batch.line")}</th>
                    <th scope="col">{t("columns.name")}</th>
                    <th scope="col" className="amount">
                      {t("columns.budget")}
                    </th>
                    <th scope="col">{t("columns.tags")}</th>
                  </tr>
                </thead>
                <tbody>
                  {previewed.map(({ link, index }) => (
                    <tr key={index} data-wrong={link.wrong !== null || refusedOf(index) !== ""}>
                      <td>{number(link.line)}</td>
                      <td>
                        <Name>{link.name}</Name>
                        {(link.wrong || refusedOf(index) !== "") && (
                          <span className="field-problem">
                            {link.wrong
                              ? t(`batch.wrongs.${link.wrong.kind}`, { text: link.wrong.text })
                              : refusedOf(index)}
                          </span>
                        )}
                      </td>
                      <td className="amount">{money(link.budget, currency)}</td>
                      <td>
                        <bdi dir="auto">{link.tags.map(nameOf).join(", ")}</bdi>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
            {links.length > PREVIEWED && (
              <p className="small muted">
                {t("batch.more", {
                  count: links.length - PREVIEWED,
                  shown: number(links.length - PREVIEWED),
                })}
              </p>
            )}
          </>
        )}
        <footer className="dialog-foot">
          <button type="submit" className="primary" aria-disabled={!canSend || isBusy}>
            {links.length === 0
              ? t("batch.create")
              : t("batch.submit", { count: links.length, shown: number(links.length) })}
          </button>
        </footer>
      </form>
    </section>
  );
}
