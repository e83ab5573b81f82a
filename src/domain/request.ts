import type { Database } from "../database/database.js";
import type { Logger } from "../log.js";
import type { TelegramGateway } from "../telegram/gateway.js";
import type { Caller } from "./access/caller.js";
import { Tokens } from "./access/tokens.js";
import { Channels } from "./channels/channels.js";
import { LinkMaker } from "./links/create.js";
import type { Creations } from "./links/creations.js";
import { Links } from "./links/links.js";
import { createLoaders, type Loaders } from "./loaders.js";
import { Tags } from "./tags/tags.js";

/** What all requests share. */
export interface Domain {
  readonly database: Database;
  readonly gateway: TelegramGateway;
  readonly creations: Creations;
}

/** Everything that a caller can do, through whichever door it came; lives as long as its request. */
export interface DomainRequest {
  readonly caller: Caller;
  readonly loaders: Loaders;
  readonly links: Links;
  readonly linkMaker: LinkMaker;
  readonly tags: Tags;
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
    tags: new Tags(database, caller, loaders),
    channels: new Channels(database, gateway, caller, loaders),
    tokens: new Tokens(database, caller),
  };
}
