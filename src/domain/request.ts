import type { Database } from "../database/database.js";
import type { Logger } from "../log.js";
import type { TelegramGateway } from "../telegram/gateway.js";
import type { Caller } from "./access/caller.js";
import { Tokens } from "./access/tokens.js";
import { Channels } from "./channels/channels.js";
import type { LinkChanges } from "./links/changes.js";
import type { Creations } from "./links/creations.js";
import { LinkEditor } from "./links/linkEditor.js";
import { LinkMaker } from "./links/linkMaker.js";
import { Links } from "./links/links.js";
import { LinkTags } from "./links/linkTags.js";
import { UncertainCreations } from "./links/uncertainCreations.js";
import { createLoaders, type Loaders } from "./loaders.js";
import { TagChanges } from "./tags/tagChanges.js";
import { Tags } from "./tags/tags.js";
import { TagTypes } from "./tags/tagTypes.js";
import type { UnderWay } from "./underWay.js";

/** What all requests share. */
export interface Domain {
  readonly database: Database;
  readonly gateway: TelegramGateway;
  readonly creations: Creations;
  readonly changes: LinkChanges;
  readonly underWay: UnderWay;
}

/** Everything that a caller can do, through whichever door it came; lives as long as its request. */
export interface DomainRequest {
  readonly caller: Caller;
  readonly loaders: Loaders;
  readonly links: Links;
  readonly linkMaker: LinkMaker;
  readonly linkEditor: LinkEditor;
  readonly linkTags: LinkTags;
  readonly uncertainCreations: UncertainCreations;
  readonly tags: Tags;
  readonly tagChanges: TagChanges;
  readonly tagTypes: TagTypes;
  readonly channels: Channels;
  readonly tokens: Tokens;
}

/** @param gone aborted when the client has gone; null where there is none that could. */
export function openRequest(
  shared: Domain,
  caller: Caller,
  log: Logger,
  gone: AbortSignal | null,
): DomainRequest {
  // Whatever asks Telegram in this request asks for this client.
  const domain = gone ? { ...shared, gateway: shared.gateway.forClient(gone) } : shared;
  const { database, gateway } = domain;
  const loaders = createLoaders(database, caller);
  return {
    caller,
    loaders,
    links: new Links(database, caller, loaders),
    linkMaker: new LinkMaker(domain, { caller, loaders, log }),
    linkEditor: new LinkEditor(domain, { caller, loaders, log }),
    linkTags: new LinkTags(database, caller, loaders),
    uncertainCreations: new UncertainCreations(domain, caller),
    tags: new Tags(database, caller, loaders),
    tagChanges: new TagChanges(database, caller),
    tagTypes: new TagTypes(database, caller),
    channels: new Channels(database, gateway, caller, loaders),
    tokens: new Tokens(database, caller),
  };
}
