/** A tag as it moves from one installation to another: by names, since ids are each installation's own. */
export interface TransferTag {
  readonly type: string;
  readonly name: string;
  /** #RRGGBB; null where the source says none that could be kept. */
  readonly color: string | null;
}

/** What a link is said to carry: all its tags, or all its tags of some types. */
export interface TransferTags {
  /** Null: of every type. */
  readonly ofTypes: readonly string[] | null;
  readonly tags: readonly TransferTag[];
}

/** What moves of a link beside its address and its tags. */
export interface LinkFields {
  /** In the source's words, which are Telegram's; null for none. */
  readonly name: string | null;
  /** An exact decimal with two fraction digits, in the channel's currency. */
  readonly budget: string;
  readonly createdAt: Date;
  readonly creatorId: number | null;
  readonly expireDate: Date | null;
  readonly memberLimit: number | null;
  readonly createsJoinRequest: boolean;
  /** Stars a month. */
  readonly subscriptionPrice: number | null;
  readonly isBotCreated: boolean;
  readonly isRevoked: boolean;
}

/** What a source says of a link; of what is left out or undefined it says nothing. */
export type TransferFields = { readonly [Name in keyof LinkFields]?: LinkFields[Name] | undefined };

/** A link that exists already, as a source tells of it. Its address is what it is known by within its channel. */
export interface TransferLink {
  readonly chatId: number;
  readonly url: string;
  readonly fields: TransferFields;
  readonly tags?: TransferTags | undefined;
}

/** Where links that move are looked up: an address belongs to a channel. */
export const keyOfLink = (owner: number | string, url: string): string => `${owner} ${url}`;
