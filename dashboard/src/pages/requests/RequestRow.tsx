import type { JoinRequestDecision, JoinRequestRowFragment } from "../../api/gql/graphql.js";
import { graphql } from "../../api/gql/index.js";
import { useI18n } from "../../i18n/index.js";
import { usePerson } from "../../parts/usePerson.js";
import { Name } from "../../ui/Name.js";

export const JOIN_REQUEST_ROW = graphql(`
  fragment JoinRequestRow on JoinRequest {
    id
    userId
    bio
    requestedAt
    decidedAt
    state
    inviteLink {
      id
      name
    }
  }
`);

/** A person's request: who asks, by which link, when, and what became of it. */
export function RequestRow(props: {
  readonly request: JoinRequestRowFragment;
  readonly isSelected: boolean;
  readonly isBusy: boolean;
  /** Why the last decision failed. */
  readonly error: string | undefined;
  readonly canEdit: boolean;
  readonly onToggle: () => void;
  readonly onDecide: (decision: JoinRequestDecision) => void;
}) {
  const { request, isSelected, isBusy, error, canEdit, onToggle, onDecide } = props;
  const { t, dayAndTime } = useI18n();
  const { userId, bio, requestedAt, decidedAt, state, inviteLink } = request;
  const isOpen = state === "PENDING";
  const person = usePerson()(userId);
  return (
    <li data-state={state}>
      {canEdit && isOpen && (
        <input
          type="checkbox"
          className="request-check"
          aria-label={t("requests.select", { person })}
          checked={isSelected}
          onChange={onToggle}
        />
      )}
      <div className="thing">
        <p className="thing-name">
          {person}{" "}
          {!isOpen && (
            <span
              className="badge"
              data-kind={state === "APPROVED" ? "good" : state === "DECLINED" ? "ended" : "plain"}
            >
              {t(`requests.decided.${state}`)}
            </span>
          )}
        </p>
        <p className="small muted">
          {inviteLink ? <Name>{inviteLink.name ?? t("links.unnamed")}</Name> : t("requests.withoutLink")} ·{" "}
          <time dateTime={requestedAt}>{dayAndTime(requestedAt)}</time>
          {decidedAt !== null && decidedAt !== undefined && (
            <>
              {" "}
              → <time dateTime={decidedAt}>{dayAndTime(decidedAt)}</time>
            </>
          )}
        </p>
        {bio != null && (
          <p className="request-bio">
            <Name>{bio}</Name>
          </p>
        )}
        {error !== undefined && <p className="field-problem">{error}</p>}
      </div>
      {canEdit && isOpen && (
        <div className="thing-buttons">
          <button
            type="button"
            aria-label={t("requests.approveOf", { person })}
            aria-disabled={isBusy}
            onClick={() => !isBusy && onDecide("APPROVE")}
          >
            {t("requests.approve")}
          </button>
          <button
            type="button"
            className="quiet danger"
            aria-label={t("requests.declineOf", { person })}
            aria-disabled={isBusy}
            onClick={() => !isBusy && onDecide("DECLINE")}
          >
            {t("requests.decline")}
          </button>
        </div>
      )}
    </li>
  );
}
