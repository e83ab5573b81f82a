/** A tag of a transfer record: by names, since each installation has ids of its own. */
export interface TransferTag {
  readonly type: string;
  readonly name: string;
  /** #RRGGBB; null if the source gives no color. */
  readonly color: string | null;
}

/** The tags that a record gives a link: all of them, or all of some types. */
export interface TransferTags {
  /** Names of the types that the record lists; null for every type. */
  readonly ofTypes: readonly string[] | null;
  readonly tags: readonly TransferTag[];
}

/** The fields of a transferred link, without its address and its tags. */
export interface LinkFields {
  /** As Telegram has it; null for no name. */
  readonly name: string | null;
  /** An exact decimal with two fraction digits, in the channel's currency. */
  readonly budget: string;
  readonly createdAt: Date;
  readonly creatorId: number | null;
  readonly expireDate: Date | null;
  readonly memberLimit: number | null;
  readonly createsJoinRequest: boolean;
  /** Telegram Stars a month; null for a link that costs its members nothing. */
  readonly subscriptionPrice: number | null;
  readonly isBotCreated: boolean;
  readonly isRevoked: boolean;
  /** The caller's own id, unique in the channel; null for none. */
  readonly externalId: string | null;
}

/** The fields that a source has; a field that is undefined keeps its value, or gets its default. */
export type TransferFields = { readonly [Name in keyof LinkFields]?: LinkFields[Name] | undefined };

/** A link that exists in Telegram, as a source has it. Its chat and its address identify it. */
export interface TransferLink {
  /** The place of its row in the source, such as "line 7". */
  readonly place: string;
  readonly chatId: number;
  readonly url: string;
  readonly fields: TransferFields;
  readonly tags?: TransferTags | undefined;
}

/** The key of a link in a map. @param owner the chat id or the channel id. */
export const keyOfLink = (owner: number | string, url: string): string => `${owner} ${url}`;
