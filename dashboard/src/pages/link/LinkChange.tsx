import { useQuery } from "@apollo/client/react";
import type { LinkChangeFragment } from "../../api/gql/graphql.js";
import { graphql, read } from "../../api/gql/index.js";
import { useAllPages } from "../../api/useAllPages.js";
import { useI18n } from "../../i18n/index.js";
import { Entry } from "./Entry.js";

const LINK_CHANGE = graphql(`
  fragment LinkChange on AuditEntry {
    id
    at
    callerName
    action
    change
  }
`);

const LINK_CHANGES = graphql(`
  query LinkChanges($id: ID!, $after: String) {
    auditEntries(filter: { subjectId: $id }, first: 100, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      edges {
        node {
          id
          ...LinkChange
        }
      }
    }
  }
`);

/** The texts of the actions that concern a link. */
const TEXTS = {
  "inviteLink.create": "change.create",
  "inviteLink.import": "change.import",
  "inviteLink.learn": "change.learn",
  "inviteLink.revoke": "change.revoke",
  "inviteLink.setTags": "change.setTags",
  "inviteLink.update": "change.update",
  "joinRequestPolicy.set": "change.policy",
} as const;

/** The actions by which a link begins. */
export const CREATIONS: readonly string[] = ["inviteLink.create", "inviteLink.import", "inviteLink.learn"];

const FIELDS = ["name", "budget", "expireDate", "memberLimit", "createsJoinRequest", "externalId"] as const;

type Changed = Partial<Record<string, unknown>>;

/** Who changed a link, the latest first. */
export function useLinkChanges(id: string) {
  const { data, error, refetch, fetchMore } = useQuery(LINK_CHANGES, {
    variables: { id },
    fetchPolicy: "cache-and-network",
  });
  const pages = useAllPages(data?.auditEntries, fetchMore);
  return {
    list: (data?.auditEntries.edges ?? []).map(({ node }) => read(LINK_CHANGE, node)),
    error: error ?? pages.error,
    reload: () => (pages.error ? pages.retry() : void refetch().catch(() => {})),
  };
}

/** One change of a link, with what was there before and after it. */
export function Change(props: { readonly change: LinkChangeFragment; readonly currency: string }) {
  const { change, currency } = props;
  const { t, money, number, dayAndTime } = useI18n();
  const key = TEXTS[change.action as keyof typeof TEXTS];
  if (key === undefined) return null;
  const changed = change.change as Changed;
  const shown = (field: (typeof FIELDS)[number], value: unknown): string => {
    if (value === null || value === undefined || value === "") return "–";
    if (field === "budget") return money(String(value), currency);
    if (field === "memberLimit") return number(Number(value));
    if (field === "expireDate") return dayAndTime(String(value));
    return String(value);
  };
  const lines = FIELDS.flatMap((field) => {
    const value = changed[field];
    // What was created has values without an earlier one.
    if (typeof value !== "object" || value === null || !("to" in value)) return [];
    const name = t(`change.field.${field}`);
    if (field === "createsJoinRequest") return [name];
    const { from, to } = value as { readonly from?: unknown; readonly to: unknown };
    return [`${name}: ${shown(field, from)} → ${shown(field, to)}`];
  });
  if (change.action === "inviteLink.update" && "addTagIds" in changed) lines.push(t("change.field.tags"));
  return (
    <Entry
      kind={change.action}
      text={t(key, { who: change.callerName ?? t("change.server") })}
      at={change.at}
    >
      {lines.map((line) => (
        <span key={line} className="small muted event-line" dir="auto">
          {line}
        </span>
      ))}
    </Entry>
  );
}
