import type { Database } from "../database/database.js";
import type { Logger } from "../log.js";
import type { TelegramGateway } from "../telegram/gateway.js";
import type { CallerCache } from "./access/callerCache.js";
import { followMovedGrants } from "./access/movedGrants.js";
import type { RateLimit, RemainingLimit } from "./access/rateLimit.js";
import { Tokens } from "./access/tokens.js";
import { ChannelActivities } from "./activity/channelActivity.js";
import { Members } from "./activity/members.js";
import { AuditEntries } from "./audit/auditEntries.js";
import { Channels } from "./channels/channels.js";
import { JoinRequestDecisions } from "./joinRequests/decideRequests.js";
import { JoinRequests } from "./joinRequests/joinRequests.js";
import { JoinRequestPolicies } from "./joinRequests/policies.js";
import { LinkBatches } from "./links/batches/linkBatches.js";
import type { CreationIntents } from "./links/create/creationIntents.js";
import { LinkCreator } from "./links/create/linkCreator.js";
import { UncertainCreations } from "./links/create/uncertainCreations.js";
import type { EditLocks } from "./links/edit/editLocks.js";
import { LinkEditor } from "./links/edit/linkEditor.js";
import type { Loaders } from "./links/linkLoaders.js";
import { Links } from "./links/query/linkQueries.js";
import { LinkStatistics } from "./links/stats/linkStatistics.js";
import { BulkTagging } from "./links/tagging/bulkTagging.js";
import { type Live, LiveMembers } from "./live/liveMembers.js";
import { createLoaders } from "./loaders.js";
import { eraseMember } from "./members/eraseMember.js";
import { FailedUpdates } from "./members/failedUpdates.js";
import type { UpdateIngestion } from "./members/updateIngestion.js";
import type { Caller } from "./shared/caller.js";
import type { StorageGuard } from "./shared/databaseErrors.js";
import { RateLimitedError } from "./shared/errors.js";
import type { PendingWork } from "./shared/pendingWork.js";
import type { TagCache } from "./tags/tagCache.js";
import { TagCommands } from "./tags/tagCommands.js";
import { Tags } from "./tags/tagQueries.js";
import { TagTypes } from "./tags/tagTypes.js";
import { LinkTransfer } from "./transfer/linkTransfer.js";
import { Deliveries } from "./webhooks/deliveries.js";
import { type WebhookServices, Webhooks } from "./webhooks/webhooks.js";

/** The services that all requests share. */
export interface Domain {
  readonly database: Database;
  readonly callerCache: CallerCache;
  /** Null: no tags are cached between requests. */
  readonly tagCache: TagCache | null;
  readonly gateway: TelegramGateway;
  readonly creationIntents: CreationIntents;
  readonly editLocks: EditLocks;
  readonly pendingWork: PendingWork;
  readonly storageGuard: StorageGuard;
  /** Stores Telegram's updates. */
  readonly ingestion: UpdateIngestion;
  /** What the subscriptions of all requests share. */
  readonly live: Live;
  /** Null: callers are not limited. */
  readonly rateLimit: RateLimit | null;
  readonly webhooks: WebhookServices;
  /** This server process; see database/presence.ts. */
  readonly serverId: string;
  /** Called when a batch of links was added to this server's or cancelled. */
  readonly onLinkBatch: () => void;
}

/** The client of a request. */
export interface RequestClient {
  /** Whether it has left before the whole answer was sent. */
  readonly hasLeft: boolean;
  /** Is aborted when the client leaves. It is made when it is first asked for: few requests need one. */
  readonly leaving: AbortSignal;
}

/** Where a request comes from. */
export interface RequestOrigin {
  readonly caller: Caller;
  readonly log: Logger;
  /** Null if no client can leave. */
  readonly client: RequestClient | null;
}

/** In seconds, for a caller with too many reads at once: some of them are done by then. */
const RETRY_AFTER = 5;

/** The parts of a request, each created when it is first needed: most requests need one or two. */
interface Parts {
  reading: Database;
  gateway: TelegramGateway;
  loaders: Loaders;
  links: Links;
  linkStatistics: LinkStatistics;
  members: Members;
  joinRequests: JoinRequests;
  joinRequestDecisions: JoinRequestDecisions;
  joinRequestPolicies: JoinRequestPolicies;
  channelActivities: ChannelActivities;
  liveMembers: LiveMembers;
  failedUpdates: FailedUpdates;
  linkCreator: LinkCreator;
  linkBatches: LinkBatches;
  linkTransfer: LinkTransfer;
  linkEditor: LinkEditor;
  bulkTagging: BulkTagging;
  uncertainCreations: UncertainCreations;
  tags: Tags;
  tagCommands: TagCommands;
  tagTypes: TagTypes;
  channels: Channels;
  tokens: Tokens;
  webhooks: Webhooks;
  deliveries: Deliveries;
  auditEntries: AuditEntries;
}

/** Everything that a caller can do, for one request of any face: GraphQL, REST or the command line. */
export class DomainRequest {
  readonly caller: Caller;
  readonly #domain: Domain;
  readonly #origin: RequestOrigin;
  #parts: Partial<Parts> = {};
  #hasChangedTelegram = false;

  constructor(domain: Domain, origin: RequestOrigin) {
    this.caller = origin.caller;
    this.#domain = domain;
    this.#origin = origin;
  }

  /**
   * Forgets everything that the request has looked up, so that it sees what was changed meanwhile.
   * @throws DatabaseUnavailableError while nothing can be stored.
   */
  protected renew(): void {
    this.#domain.storageGuard.requireWritable();
    this.#parts = {};
  }

  /** As domain/access/movedGrants.ts says. */
  followMovedGrants(): Promise<boolean> {
    return followMovedGrants(this.#domain.database, this.caller);
  }

  /**
   * Whether Telegram has done something for this request. Such a request must not be answered with
   * DatabaseUnavailableError, which says that nothing was done: the caller would repeat it.
   */
  get hasChangedTelegram(): boolean {
    return this.#hasChangedTelegram;
  }

  /** The shared services; calls to Telegram that were not sent are dropped when this request's client leaves. */
  get #shared(): Domain {
    const { client } = this.#origin;
    const guard = this.#domain.storageGuard;
    const storageGuard: StorageGuard = {
      requireWritable: () => guard.requireWritable(),
      recordFailure: (error) => guard.recordFailure(error),
      trackStoring: (storing) => {
        this.#hasChangedTelegram = true;
        guard.trackStoring(storing);
      },
    };
    if (!client) return { ...this.#domain, storageGuard };
    this.#parts.gateway ??= this.#domain.gateway.forClient(client.leaving);
    return { ...this.#domain, storageGuard, gateway: this.#parts.gateway };
  }

  /**
   * The database for the caller's reads, which have a fair share of its sessions. Writes do not wait. A read is
   * refused only if it waited too long behind reads of the same caller, so the caller must try again later.
   */
  get #reading(): Database {
    this.#parts.reading ??= this.#domain.database.forReader({
      key: this.caller.key,
      client: this.#origin.client,
      refusal: () => new RateLimitedError(RETRY_AFTER),
    });
    return this.#parts.reading;
  }

  /** The helper bot, as far as Telegram has described it. */
  get bot(): { readonly id: number; readonly username: string; readonly name: string } | null {
    const { bot, botId } = this.#domain.gateway;
    return bot && { id: botId, ...bot };
  }

  /** What the caller may still spend in this minute; null if it is not limited. */
  async remainingLimit(): Promise<RemainingLimit | null> {
    return this.#domain.rateLimit?.look(this.caller) ?? null;
  }

  get loaders(): Loaders {
    this.#parts.loaders ??= createLoaders(this.#reading, this.caller, this.#domain.tagCache);
    return this.#parts.loaders;
  }
  get links(): Links {
    this.#parts.links ??= new Links(this.#reading, this.caller, this.loaders);
    return this.#parts.links;
  }
  get linkStatistics(): LinkStatistics {
    this.#parts.linkStatistics ??= new LinkStatistics(this.#reading, this.loaders);
    return this.#parts.linkStatistics;
  }
  get members(): Members {
    this.#parts.members ??= new Members(this.#reading, this.caller);
    return this.#parts.members;
  }
  get joinRequests(): JoinRequests {
    this.#parts.joinRequests ??= new JoinRequests(this.#reading, this.caller);
    return this.#parts.joinRequests;
  }
  get joinRequestDecisions(): JoinRequestDecisions {
    this.#parts.joinRequestDecisions ??= new JoinRequestDecisions(this.#shared, {
      joinRequests: this.joinRequests,
      ...this.#origin,
    });
    return this.#parts.joinRequestDecisions;
  }
  get joinRequestPolicies(): JoinRequestPolicies {
    this.#parts.joinRequestPolicies ??= new JoinRequestPolicies(
      this.#domain.database,
      this.caller,
      this.loaders,
    );
    return this.#parts.joinRequestPolicies;
  }
  get channelActivities(): ChannelActivities {
    this.#parts.channelActivities ??= new ChannelActivities(this.#reading);
    return this.#parts.channelActivities;
  }
  get liveMembers(): LiveMembers {
    this.#parts.liveMembers ??= new LiveMembers(this.#reading, this.caller, this.#domain.live);
    return this.#parts.liveMembers;
  }
  get failedUpdates(): FailedUpdates {
    this.#parts.failedUpdates ??= new FailedUpdates(
      this.#domain.database,
      this.caller,
      this.#domain.ingestion,
    );
    return this.#parts.failedUpdates;
  }
  /** Erases a person, as domain/members/eraseMember.ts says. */
  eraseMember(input: { readonly userId: number }): Promise<{ readonly eventCount: number }> {
    return eraseMember(this.#domain.database, this.caller, input);
  }
  get linkCreator(): LinkCreator {
    this.#parts.linkCreator ??= new LinkCreator(this.#shared, { loaders: this.loaders, ...this.#origin });
    return this.#parts.linkCreator;
  }
  get linkBatches(): LinkBatches {
    this.#parts.linkBatches ??= new LinkBatches(this.#shared, {
      reading: this.#reading,
      caller: this.caller,
      loaders: this.loaders,
    });
    return this.#parts.linkBatches;
  }
  get linkTransfer(): LinkTransfer {
    this.#parts.linkTransfer ??= new LinkTransfer(this.#domain, {
      reading: this.#reading,
      caller: this.caller,
      loaders: this.loaders,
    });
    return this.#parts.linkTransfer;
  }
  get linkEditor(): LinkEditor {
    this.#parts.linkEditor ??= new LinkEditor(this.#shared, { loaders: this.loaders, ...this.#origin });
    return this.#parts.linkEditor;
  }
  get bulkTagging(): BulkTagging {
    this.#parts.bulkTagging ??= new BulkTagging(this.#domain.database, this.caller, this.loaders);
    return this.#parts.bulkTagging;
  }
  get uncertainCreations(): UncertainCreations {
    this.#parts.uncertainCreations ??= new UncertainCreations(this.#shared, this.caller);
    return this.#parts.uncertainCreations;
  }
  get tags(): Tags {
    this.#parts.tags ??= new Tags(this.#reading, this.caller, this.loaders);
    return this.#parts.tags;
  }
  get tagCommands(): TagCommands {
    this.#parts.tagCommands ??= new TagCommands(this.#domain.database, this.caller);
    return this.#parts.tagCommands;
  }
  get tagTypes(): TagTypes {
    this.#parts.tagTypes ??= new TagTypes(this.#reading, this.caller);
    return this.#parts.tagTypes;
  }
  get channels(): Channels {
    this.#parts.channels ??= new Channels(
      { ...this.#shared, database: this.#reading },
      this.caller,
      this.loaders,
    );
    return this.#parts.channels;
  }
  get tokens(): Tokens {
    this.#parts.tokens ??= new Tokens(this.#domain, this.caller);
    return this.#parts.tokens;
  }
  get webhooks(): Webhooks {
    this.#parts.webhooks ??= new Webhooks(this.#domain, this.caller);
    return this.#parts.webhooks;
  }
  get deliveries(): Deliveries {
    this.#parts.deliveries ??= new Deliveries(this.#domain, this.caller);
    return this.#parts.deliveries;
  }
  get auditEntries(): AuditEntries {
    this.#parts.auditEntries ??= new AuditEntries(this.#reading, this.caller, this.loaders);
    return this.#parts.auditEntries;
  }
}
