import type { Database } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import type { InviteLink } from "../links/inviteLink.js";
import type { Loaders } from "../links/linkLoaders.js";
import { auditMany } from "../shared/audit.js";
import { type Caller, requireRole } from "../shared/caller.js";
import { NotFoundError, Problems } from "../shared/errors.js";
import { parseId } from "../shared/ids.js";

export type JoinRequestDecider = "PEOPLE" | "AUTOMATIC";

export interface SetJoinRequestPolicyInput {
  /** A global id or a bare UUID. */
  readonly inviteLinkId: string;
  readonly decider: JoinRequestDecider;
  /** Required for AUTOMATIC, otherwise not allowed. */
  readonly approveAfterSeconds?: number | null | undefined;
}

/** Seven days. */
const MAX_SECONDS = 604_800;

function checkSeconds(
  { decider, approveAfterSeconds: seconds }: SetJoinRequestPolicyInput,
  problems: Problems,
): void {
  const field = "approveAfterSeconds";
  if (decider === "PEOPLE") {
    if (seconds != null) problems.add(field, "Only the decider AUTOMATIC approves by itself.");
  } else if (seconds == null) problems.add(field, "The decider AUTOMATIC needs it.");
  else if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_SECONDS)
    problems.add(field, `Must be a whole number from 0 to ${MAX_SECONDS}.`);
}

/** How the requests of links are decided, for one request of a caller. */
export class JoinRequestPolicies {
  readonly #database: Database;
  readonly #caller: Caller;
  readonly #loaders: Loaders;

  constructor(database: Database, caller: Caller, loaders: Loaders) {
    this.#database = database;
    this.#caller = caller;
    this.#loaders = loaders;
  }

  /**
   * Sets how the requests of a link are decided, those that are pending included.
   * @throws ForbiddenError, ValidationError, NotFoundError
   */
  async set(input: SetJoinRequestPolicyInput): Promise<InviteLink> {
    requireRole(this.#caller, "EDITOR");
    const problems = new Problems();
    const id = parseId("InviteLink", input.inviteLinkId, "inviteLinkId", problems);
    checkSeconds(input, problems);
    const link = id === null ? null : await this.#loaders.inviteLink.load(id);
    if (id !== null && !link) throw new NotFoundError("invite link");
    if (link && input.decider === "AUTOMATIC") {
      if (!link.isBotCreated) problems.add("inviteLinkId", "The link is another administrator's.");
      else if (!link.createsJoinRequest)
        problems.add("inviteLinkId", "Nobody has to ask to join by this link.");
    }
    problems.check();
    if (!link) throw new NotFoundError("invite link");
    await this.#store(link, input.decider === "AUTOMATIC" ? (input.approveAfterSeconds ?? 0) : null);
    return link;
  }

  async #store({ id }: InviteLink, seconds: number | null): Promise<void> {
    await this.#database.transaction(async (unit) => {
      // The lock puts two changes of one policy one after the other.
      const [link] = await unit.query<{ channelId: string; before: number | null }>(statement(
        "join_request_policy_lock",
      )`
        select l.channel_id as "channelId", p.approve_after_seconds as before
        from invite_link l left join join_request_policy p on p.link_id = l.id
        where l.id = ${id}::uuid for no key update of l`);
      if (!link) throw new NotFoundError("invite link");
      const { channelId, before } = link;
      if (before === seconds) return;
      await unit.execute(
        seconds === null
          ? statement(
              "join_request_policy_delete",
            )`delete from join_request_policy where link_id = ${id}::uuid`
          : statement("join_request_policy_set")`
              insert into join_request_policy (link_id, channel_id, approve_after_seconds)
              values (${id}::uuid, ${channelId}::uuid, ${seconds}::int)
              on conflict (link_id) do update set approve_after_seconds = excluded.approve_after_seconds`,
      );
      const change = { approveAfterSeconds: { from: before, to: seconds } };
      await auditMany(unit, this.#caller, [
        { action: "joinRequestPolicy.set", subjectId: id, channelId, change },
      ]);
    });
  }
}
