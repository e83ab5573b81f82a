import type pg from "pg";
import sql, { raw, type Sql } from "sql-template-tag";
import type { ServerProbe } from "./readinessProbe.js";
import { statement } from "./statement.js";

/** The application name of the session by which the servers tell each other on the replica what they wrote. */
export const REPLICA_SESSION = "invite-links replica";
/** Announced instead of a position: this server writes, or does not know the position of its last write. */
export const WRITES = "writes";
export const UNKNOWN = "unknown";

/** The server at the other end of a session is not the one that the session is for. */
class WrongServerError extends Error {
  override readonly name = "WrongServerError";
  /** PostgreSQL's code for a server that does not accept sessions now. */
  readonly code = "57P03";
}

/** A position in the write-ahead log, in bytes. */
const bytes = (position: string): Sql => raw(`pg_wal_lsn_diff(${position}, '0/0')::bigint`);

export const POSITION = statement(
  "replica_write_position",
)`select ${bytes("pg_current_wal_flush_lsn()")} as position`;

/** A look at a server. */
export interface Look {
  /** Tells whether two servers hold the same data: the identifier of the cluster and the oid of the database. */
  readonly system: string;
  /** Null for a standby. A promotion begins a new timeline, whose number is higher. */
  readonly timeline: string | null;
  /** The end of what is stored. Null for a standby. */
  readonly position: number | null;
}

const LOOK = sql`
  (select system_identifier || '/' || oid from pg_control_system(), pg_database where datname = current_database())
    as system,
  case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) end as timeline,
  case when not pg_is_in_recovery() then ${bytes("pg_current_wal_flush_lsn()")} end as position`;

/** A look at the replica, and what the other servers have announced there. */
export interface ReplicaLook extends Look {
  /** The other servers, and those of them that have not announced a position. */
  readonly others: number;
  readonly writing: number;
  /** The highest position that any server has announced. */
  readonly required: number;
  /** Whether everything up to that position has been replayed. */
  readonly isReplayed: boolean | null;
  /** Whether the session is so old that the other servers had the time to open theirs again, if all were lost. */
  readonly isSettled: boolean;
}

const oneRow = <Row>([row]: readonly Row[]): Row => {
  if (row === undefined) throw new TypeError("A look at a server is one row.");
  return row;
};

export const lookAtServer = async (probe: ServerProbe): Promise<Look> =>
  oneRow(await probe.ask<Look>(statement("replica_server_look")`select ${LOOK}`));

/**
 * Looks at the replica and announces something in the same statement.
 * @param position what this server wrote, in bytes of the write-ahead log
 */
export const lookAtReplica = async (
  probe: ServerProbe,
  announcement: string,
  position: number,
): Promise<ReplicaLook> =>
  oneRow(
    await probe.ask<ReplicaLook>(
      statement("replica_look")`
        select ${LOOK}, others, writing, required, required <= ${bytes("pg_last_wal_replay_lsn()")} as "isReplayed",
          (select backend_start < now() - interval '3 seconds' from pg_stat_activity where pid = pg_backend_pid())
            as "isSettled"
        from (select set_config('application_name', ${`${REPLICA_SESSION} ${announcement}`}, false)) announced,
          lateral (
            select count(*)::int as others, count(*) filter (where said !~ '^[0-9]+$')::int as writing,
              greatest(${position}::bigint, max(case when said ~ '^[0-9]+$' then said::bigint end)) as required
            from (
              select substr(application_name, ${REPLICA_SESSION.length + 2}::int) as said from pg_stat_activity
              where datname = current_database() and application_name like ${`${REPLICA_SESSION} %`} and pid <> pg_backend_pid()
            ) other
          ) announcements`,
      false,
    ),
  );

/** Accepts a session of the replica only if the replica has replayed the log up to a position, in bytes. */
export async function acceptReplayed(client: pg.ClientBase, position: number): Promise<void> {
  const { text, values } = statement("replica_accept")`
    select not pg_is_in_recovery() or ${bytes("pg_last_wal_replay_lsn()")} >= ${position}::bigint as accepted`;
  const { rows } = await client.query<{ accepted: boolean | null }>(text, values);
  if (rows[0]?.accepted !== true)
    throw new WrongServerError("The replica lacks what was written to the primary.");
}
