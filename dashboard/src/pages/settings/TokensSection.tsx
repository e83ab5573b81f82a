import { useMutation, useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { ApiTokenRowFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { requireResult, useAttempt } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { ChannelList } from "../../parts/ChannelChoice.js";
import { Confirm } from "../../parts/Confirm.js";
import { Loading } from "../../parts/Loading.js";
import { Icon } from "../../ui/Icon.js";
import { Name } from "../../ui/Name.js";
import { toast } from "../../ui/toast.js";
import { useOpenDialog } from "../../ui/useOpenDialog.js";
import { CreateToken } from "./CreateToken.js";
import { Section } from "./Section.js";

const API_TOKEN_ROW = graphql(`
  fragment ApiTokenRow on ApiToken {
    id
    name
    role
    channelIds
    createdAt
    lastUsedAt
    revokedAt
  }
`);

const API_TOKENS = graphql(`
  query ApiTokens {
    apiTokens {
      ...ApiTokenRow
    }
  }
`);

const REVOKE_TOKEN = graphql(`
  mutation RevokeToken($input: RevokeApiTokenInput!) {
    revokeApiToken(input: $input) {
      __typename
      ... on RevokeApiTokenSuccess {
        apiToken {
          ...ApiTokenRow
        }
      }
      ...Problem
    }
  }
`);

type Token = ApiTokenRowFragment;

/** Who may use the server. */
export default function TokensSection({ mayAll }: { readonly mayAll: boolean }) {
  const { t, number } = useI18n();
  const { data, error, refetch } = useQuery(API_TOKENS, { fetchPolicy: "cache-and-network" });
  const [isCreating, setIsCreating] = useState(false);
  const { dialog: revoked, open: revoke, close } = useOpenDialog<Token>();
  const tokens = data?.apiTokens.map((token) => read(API_TOKEN_ROW, token)) ?? [];
  const valid = tokens.filter(({ revokedAt }) => revokedAt === null).reverse();
  const ended = tokens.filter(({ revokedAt }) => revokedAt !== null).reverse();
  return (
    <Section
      title={t("settings.sections.tokens")}
      hint={t("settings.tokens.hint")}
      action={
        <button type="button" className="primary" onClick={() => setIsCreating(true)}>
          <Icon name="plus" /> {t("settings.tokens.create")}
        </button>
      }
    >
      {data === undefined ? (
        <Loading error={error} refetch={refetch} />
      ) : (
        <>
          <ul className="card things">
            {valid.map((token) => (
              <TokenRow key={token.id} token={token} onRevoke={() => revoke(token)} />
            ))}
          </ul>
          {ended.length > 0 && (
            <details>
              <summary>
                {t("settings.tokens.revokedOnes", { count: ended.length, shown: number(ended.length) })}
              </summary>
              <ul className="card things">
                {ended.map((token) => (
                  <TokenRow key={token.id} token={token} />
                ))}
              </ul>
            </details>
          )}
        </>
      )}
      {isCreating && <CreateToken mayAll={mayAll} onClose={() => setIsCreating(false)} />}
      {revoked && <RevokeToken token={revoked} onClose={close} />}
    </Section>
  );
}

function TokenRow({ token, onRevoke }: { readonly token: Token; readonly onRevoke?: () => void }) {
  const { t, day, dayAndTime } = useI18n();
  const { name, role, channelIds, createdAt, lastUsedAt, revokedAt } = token;
  return (
    <li>
      <div className="thing">
        <p className="thing-name">
          <Name>{name}</Name> <span className="role">{t(`role.${role}`)}</span>
        </p>
        <p className="small muted">
          <ChannelList ids={channelIds} />
        </p>
        <p className="small muted">
          {t("settings.tokens.created", { day: day(createdAt) })} ·{" "}
          {revokedAt
            ? t("settings.tokens.revoked", { day: day(revokedAt) })
            : lastUsedAt
              ? t("settings.tokens.used", { time: dayAndTime(lastUsedAt) })
              : t("settings.tokens.neverUsed")}
        </p>
      </div>
      {onRevoke && (
        <button
          type="button"
          className="danger"
          aria-label={t("settings.tokens.revokeOf", { name })}
          onClick={onRevoke}
        >
          {t("settings.tokens.revoke")}
        </button>
      )}
    </li>
  );
}

function RevokeToken({ token, onClose }: { readonly token: Token; readonly onClose: () => void }) {
  const { t } = useI18n();
  const [revoke] = useMutation(REVOKE_TOKEN);
  const { problem, isBusy, attempt } = useAttempt();
  const { id, name } = token;
  const submit = () =>
    attempt(async () => {
      const { data } = await revoke({ variables: { input: { id } } });
      const result = requireResult(data?.revokeApiToken);
      if (result.__typename !== "RevokeApiTokenSuccess") return result;
      onClose();
      toast({ message: t("settings.tokens.wasRevoked", { name }) });
      return null;
    });
  return (
    <Confirm
      title={t("settings.tokens.revokeTitle", { name })}
      action={t("settings.tokens.revoke")}
      problem={problem}
      isBusy={isBusy}
      onConfirm={submit}
      onClose={onClose}
    >
      <p>{t("settings.tokens.revokeHint")}</p>
    </Confirm>
  );
}
