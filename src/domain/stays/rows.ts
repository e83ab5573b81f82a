import sql, { raw, type Sql } from "sql-template-tag";
import type {
  Attribution,
  JoinPath,
  JoinRequestDecision,
  JoinRequestState,
} from "../../database/generated/prisma/client.js";
import type { Instant } from "../../database/instant.js";
import { type NamedStatement, statement } from "../../database/statement.js";
import { newId } from "../shared/ids.js";
import { type ArrayColumn, namesOf, recordsOf, rowsOf } from "./arrays.js";
import type { EventCorrection, EventRow, PersonHistory } from "./changes.js";
import type { Join, Leave, PlacedStay, Request } from "./history.js";

/** One person in one channel. */
export interface PersonKey {
  readonly channelId: string;
  readonly userId: number;
}

export const personKey = ({ channelId, userId }: PersonKey): string => `${channelId} ${userId}`;

/** Runs statements of a transaction. */
export interface Session {
  query<Row>(statement: NamedStatement): Promise<Row[]>;
}

interface MembershipRow extends PersonKey {
  readonly id: string;
  readonly linkId: string | null;
  readonly joinedAt: Instant | null;
  readonly leftAt: Instant | null;
  readonly joinUpdateId: number | null;
  readonly leaveUpdateId: number | null;
  readonly joinSequence: number | null;
  readonly leaveSequence: number | null;
  readonly path: JoinPath | null;
  readonly attribution: Attribution;
  readonly isRemoval: boolean;
  readonly isInferredLeave: boolean;
  readonly isRejoin: boolean;
  readonly isFirstByLink: boolean;
}

interface RequestRow extends PersonKey {
  readonly id: string;
  readonly linkId: string | null;
  readonly attribution: Attribution;
  readonly requestedAt: Instant;
  readonly decidedAt: Instant | null;
  readonly updateId: number;
  readonly sequence: number;
  readonly state: JoinRequestState;
  readonly decision: JoinRequestDecision | null;
  readonly declineSequence: number | null;
  readonly bio: string | null;
}

function toStay(row: MembershipRow): PlacedStay {
  const { id, linkId, attribution, path, isRemoval, isInferredLeave, isRejoin, isFirstByLink } = row;
  const join: Join | null =
    row.joinedAt === null || row.joinUpdateId === null || path === null
      ? null
      : {
          at: row.joinedAt,
          updateId: row.joinUpdateId,
          linkId,
          attribution,
          path,
          sequence: row.joinSequence,
        };
  const leave: Leave | null =
    row.leftAt === null || row.leaveUpdateId === null
      ? null
      : {
          at: row.leftAt,
          updateId: row.leaveUpdateId,
          isRemoval,
          isInferred: isInferredLeave,
          sequence: row.leaveSequence,
        };
  return { id, join, leave, isRejoin, isFirstByLink };
}

const toRequest = ({ requestedAt, declineSequence, ...row }: RequestRow): Request => ({
  ...row,
  at: requestedAt,
  decline:
    row.decidedAt === null || declineSequence === null
      ? null
      : { at: row.decidedAt, updateId: row.updateId, sequence: declineSequence },
});

const PERSON_COLUMNS: readonly ArrayColumn<PersonKey>[] = [
  { name: "channel_id", type: "uuid", value: ({ channelId }) => channelId },
  { name: "user_id", type: "bigint", value: ({ userId }) => userId },
];

// LATERAL with OFFSET 0 lets PostgreSQL do nothing else than look each person up by the index. A plan from a time when the
// tables were empty would otherwise read whole tables later.

/** Reads the histories of persons, in their order. Whoever writes them has locked the channels' rows of channel_activity. */
export async function readHistories(
  session: Session,
  persons: readonly PersonKey[],
): Promise<PersonHistory[]> {
  const asked = rowsOf("person", PERSON_COLUMNS, persons);
  const memberships = await session.query<MembershipRow>(statement("member_history_stays")`
    select m.* from ${asked} cross join lateral (
      select m.channel_id as "channelId", m.user_id as "userId", m.id, m.link_id as "linkId",
        m.joined_at as "joinedAt", m.left_at as "leftAt", m.join_update_id as "joinUpdateId",
        m.leave_update_id as "leaveUpdateId", m.join_sequence as "joinSequence",
        m.leave_sequence as "leaveSequence", m.path, m.attribution, m.is_removal as "isRemoval",
        m.is_inferred_leave as "isInferredLeave", m.is_rejoin as "isRejoin",
        m.is_first_by_link as "isFirstByLink"
      from membership m where m.channel_id = person.channel_id and m.user_id = person.user_id offset 0
    ) m`);
  const requests = await session.query<RequestRow>(statement("member_history_requests")`
    select r.* from ${asked} cross join lateral (
      select r.channel_id as "channelId", r.user_id as "userId", r.id, r.link_id as "linkId", r.attribution,
        r.requested_at as "requestedAt", r.decided_at as "decidedAt", r.update_id as "updateId", r.sequence,
        r.state, r.decision, r.decline_sequence as "declineSequence", r.bio
      from join_request r where r.channel_id = person.channel_id and r.user_id = person.user_id offset 0
    ) r`);
  const histories = new Map(
    persons.map((person) => [
      personKey(person),
      {
        channelId: person.channelId,
        userId: person.userId,
        stays: [] as PlacedStay[],
        requests: [] as Request[],
      },
    ]),
  );
  for (const row of memberships) histories.get(personKey(row))?.stays.push(toStay(row));
  for (const row of requests) histories.get(personKey(row))?.requests.push(toRequest(row));
  return [...histories.values()];
}

const bool = (value: boolean): string => (value ? "t" : "f");

const EVENT_COLUMNS: readonly ArrayColumn<EventRow>[] = [
  { name: "channel_id", type: "uuid", value: ({ channelId }) => channelId },
  { name: "sequence", type: "bigint", value: ({ event }) => event.of.sequence },
  { name: "id", type: "uuid", value: ({ id }) => id },
  { name: "user_id", type: "bigint", value: ({ userId }) => userId },
  { name: "actor_id", type: "bigint", value: ({ event }) => event.of.actorId ?? null },
  { name: "link_id", type: "uuid", value: ({ event }) => event.linkId },
  { name: "occurred_at", type: "timestamptz", value: ({ event }) => event.of.at },
  { name: "kind", type: "member_event_kind", value: ({ event }) => event.kind },
  { name: "attribution", type: "attribution", value: ({ event }) => event.attribution },
  { name: "path", type: "join_path", value: ({ event }) => event.path },
  { name: "is_removal", type: "boolean", value: ({ event }) => bool(event.isRemoval) },
  { name: "is_rejoin", type: "boolean", value: ({ event }) => bool(event.isRejoin) },
  { name: "is_inferred", type: "boolean", value: ({ event }) => bool(event.isInferred) },
];

/** Inserts member events. */
export const insertEvents = (events: readonly EventRow[]): Sql => sql`
  insert into member_event (${namesOf(EVENT_COLUMNS)})
  select ${namesOf(EVENT_COLUMNS)}
  from ${recordsOf({ name: "member_event_record", columns: EVENT_COLUMNS }, events)}`;

interface StayOfPerson {
  readonly person: PersonKey;
  readonly id: string;
  readonly stay: PlacedStay;
}

const STAY_COLUMNS: readonly ArrayColumn<StayOfPerson>[] = [
  { name: "channel_id", type: "uuid", value: ({ person }) => person.channelId },
  { name: "id", type: "uuid", value: ({ id }) => id },
  { name: "user_id", type: "bigint", value: ({ person }) => person.userId },
  { name: "link_id", type: "uuid", value: ({ stay }) => stay.join?.linkId ?? null },
  { name: "joined_at", type: "timestamptz", value: ({ stay }) => stay.join?.at ?? null },
  { name: "left_at", type: "timestamptz", value: ({ stay }) => stay.leave?.at ?? null },
  { name: "join_update_id", type: "bigint", value: ({ stay }) => stay.join?.updateId ?? null },
  { name: "leave_update_id", type: "bigint", value: ({ stay }) => stay.leave?.updateId ?? null },
  { name: "join_sequence", type: "bigint", value: ({ stay }) => stay.join?.sequence ?? null },
  { name: "leave_sequence", type: "bigint", value: ({ stay }) => stay.leave?.sequence ?? null },
  { name: "path", type: "join_path", value: ({ stay }) => stay.join?.path ?? null },
  { name: "attribution", type: "attribution", value: ({ stay }) => stay.join?.attribution ?? "NONE" },
  { name: "is_removal", type: "boolean", value: ({ stay }) => bool(stay.leave?.isRemoval ?? false) },
  {
    name: "is_inferred_leave",
    type: "boolean",
    value: ({ stay }) => bool(stay.leave?.isInferred ?? false),
  },
  { name: "is_rejoin", type: "boolean", value: ({ stay }) => bool(stay.isRejoin) },
  { name: "is_first_by_link", type: "boolean", value: ({ stay }) => bool(stay.isFirstByLink) },
];

/** Assignments of all columns but the key, for a row that exists already. */
export const overwrite = (
  columns: readonly Pick<ArrayColumn<never>, "name">[],
  keys: readonly string[],
): Sql =>
  raw(
    columns
      .filter(({ name }) => !keys.includes(name))
      .map(({ name }) => `${name} = excluded.${name}`)
      .join(", "),
  );

/** Inserts stays, or updates those that are stored. */
export const upsertStays = (stays: readonly { person: PersonKey; stay: PlacedStay }[]): Sql => sql`
  insert into membership (${namesOf(STAY_COLUMNS)})
  select ${namesOf(STAY_COLUMNS)} from ${recordsOf(
    { name: "membership_record", columns: STAY_COLUMNS },
    stays.map(({ person, stay }) => ({ person, stay, id: stay.id ?? newId() })),
  )}
  on conflict (channel_id, id) do update set ${overwrite(STAY_COLUMNS, ["channel_id", "id", "user_id"])}`;

interface RequestOfPerson {
  readonly person: PersonKey;
  readonly request: Request;
}

const REQUEST_COLUMNS: readonly ArrayColumn<RequestOfPerson>[] = [
  { name: "channel_id", type: "uuid", value: ({ person }) => person.channelId },
  { name: "id", type: "uuid", value: ({ request }) => request.id },
  { name: "user_id", type: "bigint", value: ({ person }) => person.userId },
  { name: "link_id", type: "uuid", value: ({ request }) => request.linkId },
  { name: "attribution", type: "attribution", value: ({ request }) => request.attribution },
  { name: "requested_at", type: "timestamptz", value: ({ request }) => request.at },
  { name: "decided_at", type: "timestamptz", value: ({ request }) => request.decidedAt },
  { name: "update_id", type: "bigint", value: ({ request }) => request.updateId },
  { name: "sequence", type: "bigint", value: ({ request }) => request.sequence },
  { name: "state", type: "join_request_state", value: ({ request }) => request.state },
  { name: "decision", type: "join_request_decision", value: ({ request }) => request.decision },
  { name: "decline_sequence", type: "bigint", value: ({ request }) => request.decline?.sequence ?? null },
  { name: "bio", type: "text", value: ({ request }) => request.bio, isText: true },
];

/** Inserts requests, or updates those that are stored. */
export const upsertRequests = (requests: readonly RequestOfPerson[]): Sql => sql`
  insert into join_request (${namesOf(REQUEST_COLUMNS)})
  select ${namesOf(REQUEST_COLUMNS)}
  from ${recordsOf({ name: "decided_request_record", columns: REQUEST_COLUMNS }, requests)}
  on conflict (channel_id, id) do update set state = excluded.state, decided_at = excluded.decided_at,
    decision = excluded.decision, decline_sequence = excluded.decline_sequence, bio = excluded.bio`;

interface CorrectionRow {
  readonly correction: EventCorrection;
}

const CORRECTION_COLUMNS: readonly ArrayColumn<CorrectionRow>[] = [
  { name: "channel_id", type: "uuid", value: ({ correction }) => correction.channelId },
  { name: "sequence", type: "bigint", value: ({ correction }) => correction.event.of.sequence },
  {
    name: "has_actor",
    type: "boolean",
    value: ({ correction }) => bool(correction.event.of.actorId !== undefined),
  },
  { name: "actor_id", type: "bigint", value: ({ correction }) => correction.event.of.actorId ?? null },
  { name: "link_id", type: "uuid", value: ({ correction }) => correction.event.linkId },
  { name: "occurred_at", type: "timestamptz", value: ({ correction }) => correction.occurredAt },
  { name: "attribution", type: "attribution", value: ({ correction }) => correction.event.attribution },
  { name: "is_removal", type: "boolean", value: ({ correction }) => bool(correction.event.isRemoval) },
  { name: "is_rejoin", type: "boolean", value: ({ correction }) => bool(correction.event.isRejoin) },
  { name: "is_inferred", type: "boolean", value: ({ correction }) => bool(correction.event.isInferred) },
];

/** Corrects member events that are stored. */
export const correctEvents = (corrections: readonly EventCorrection[]) => statement("member_events_correct")`
  update member_event e set
    actor_id = case when c.has_actor then c.actor_id else e.actor_id end,
    link_id = c.link_id, occurred_at = c.occurred_at, attribution = c.attribution, is_removal = c.is_removal,
    is_rejoin = c.is_rejoin, is_inferred = c.is_inferred
  from ${rowsOf(
    "c",
    CORRECTION_COLUMNS,
    corrections.map((correction) => ({ correction })),
  )}
  where e.channel_id = c.channel_id and e.sequence = c.sequence`;

/** Deletes memberships that have become part of others. */
export const deleteStays = (channelIds: readonly string[], ids: readonly string[]) => statement(
  "memberships_delete",
)`
  delete from membership m using unnest(${channelIds}::uuid[], ${ids}::uuid[]) as gone (channel_id, id)
  where m.channel_id = gone.channel_id and m.id = gone.id`;
