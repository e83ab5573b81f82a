import { useMutation, useQuery } from "@apollo/client/react";
import { useState } from "react";
import type { JoinRequestDecider, JoinRequestPolicyFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { fieldProblem, type ProblemView } from "../../api/problems.js";
import { useI18n } from "../../i18n/index.js";
import { duration } from "./duration.js";
import "../parts.css";

export const JOIN_REQUEST_POLICY = graphql(`
  fragment JoinRequestPolicy on InviteLink {
    id
    joinRequestPolicy {
      decider
      approveAfterSeconds
    }
  }
`);

const SET_POLICY = graphql(`
  mutation SetPolicy($input: SetJoinRequestPolicyInput!) {
    setJoinRequestPolicy(input: $input) {
      __typename
      ... on SetJoinRequestPolicySuccess {
        inviteLink {
          ...JoinRequestPolicy
        }
      }
      ...Problem
    }
  }
`);

const LINK_POLICY = graphql(`
  query LinkPolicy($id: ID!) {
    inviteLink(id: $id) {
      ...JoinRequestPolicy
    }
  }
`);

/**
 * Who decides the requests by a link.
 * @param id null where that is not asked
 * @returns undefined until it is loaded; null if it is not asked or could not be loaded
 */
export function useLinkPolicy(id: string | null): Shown | null | undefined {
  const { data, error } = useQuery(LINK_POLICY, {
    variables: { id: id ?? "" },
    skip: id === null,
    fetchPolicy: "cache-and-network",
  });
  if (data?.inviteLink) return read(JOIN_REQUEST_POLICY, data.inviteLink).joinRequestPolicy;
  return id === null || data || error ? null : undefined;
}

export const useSetPolicy = () => useMutation(SET_POLICY);

type Shown = JoinRequestPolicyFragment["joinRequestPolicy"];

export interface Policy {
  readonly decider: JoinRequestDecider;
  readonly approveAfterSeconds: number | null;
}

/** What {@link PolicyFields} says in its form; null if the form has none. */
export function readPolicy(form: HTMLFormElement): Policy | null {
  const data = new FormData(form);
  const decider = data.get("decider");
  if (decider === null) return null;
  return decider === "AUTOMATIC"
    ? { decider: "AUTOMATIC", approveAfterSeconds: Number(data.get("approveAfterSeconds")) }
    : BY_PEOPLE;
}

/** The policy of a new link. */
export const BY_PEOPLE: Policy = { decider: "PEOPLE", approveAfterSeconds: null };

export const isSamePolicy = (one: Policy, other: Shown): boolean =>
  one.decider === other.decider && one.approveAfterSeconds === (other.approveAfterSeconds ?? null);

/** Who decides, in words. */
export function PolicyText({ policy }: { readonly policy: Shown }) {
  const { t, language } = useI18n();
  if (policy.decider === "PEOPLE") return t("requests.byPeople");
  const seconds = policy.approveAfterSeconds ?? 0;
  return seconds === 0 ? t("requests.atOnce") : t("requests.after", { time: duration(seconds, language) });
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WAITS = [0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY];

/** Who decides the requests to join by a link: people, or the server after some time. */
export function PolicyFields({
  policy,
  problem,
}: {
  readonly policy: Shown;
  readonly problem: ProblemView | null;
}) {
  const { t, language } = useI18n();
  const [decider, setDecider] = useState(policy.decider);
  const known = policy.approveAfterSeconds ?? 0;
  const waits = [...new Set([...WAITS, known])].sort((a, b) => a - b);
  const wrong = fieldProblem(problem, "approveAfterSeconds") ?? fieldProblem(problem, "inviteLinkId");
  return (
    <fieldset className="choice">
      <legend>{t("requests.decider")}</legend>
      <label className="check">
        <input
          type="radio"
          name="decider"
          value="PEOPLE"
          checked={decider === "PEOPLE"}
          onChange={() => setDecider("PEOPLE")}
        />
        {t("requests.byPeople")}
      </label>
      <label className="check">
        <input
          type="radio"
          name="decider"
          value="AUTOMATIC"
          checked={decider === "AUTOMATIC"}
          onChange={() => setDecider("AUTOMATIC")}
        />
        {t("requests.byServer")}
      </label>
      {decider === "AUTOMATIC" && (
        <label className="field">
          {t("requests.when")}
          <select name="approveAfterSeconds" defaultValue={known}>
            {waits.map((seconds) => (
              <option key={seconds} value={seconds}>
                {seconds === 0 ? t("requests.now") : duration(seconds, language)}
              </option>
            ))}
          </select>
        </label>
      )}
      <p className="small muted">{t("requests.policyHint")}</p>
      {wrong !== null && <p className="field-problem">{wrong}</p>}
    </fieldset>
  );
}
