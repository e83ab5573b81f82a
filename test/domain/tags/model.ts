/**
 * A model of the tag commands, written from the contract as plainly as possible: it uses lists, and shares no code with the
 * server. The test says which names fold alike.
 */

export interface Name {
  readonly given: string;
  /** The stored name; null for a name that is refused. */
  readonly kept: string | null;
  /** The same for names that differ only in case. */
  readonly key: string;
}

export interface Color {
  readonly given: string;
  readonly kept: string | null;
}

/** Why a command was refused; for a ValidationError, the sorted names of the wrong fields. */
export type Refusal = "NotFoundError" | "ForbiddenError" | readonly string[];

interface ModelType {
  readonly id: string;
  readonly name: string;
  readonly key: string;
}

interface ModelTag extends ModelType {
  readonly channel: number;
  readonly color: string;
  readonly typeId: string;
  readonly changed: boolean;
}

export interface TagUpdate {
  readonly name: Name | null | undefined;
  readonly color: Color | null | undefined;
  readonly typeId: string | null | undefined;
}

export class TagModel {
  readonly types = new Map<string, ModelType>();
  readonly tags = new Map<string, ModelTag>();
  /** The tags that each link carries. */
  readonly carried: readonly Set<string>[];
  readonly audit: { readonly action: string; readonly subjectId: string; readonly change: object }[] = [];

  constructor(links: number) {
    this.carried = Array.from({ length: links }, () => new Set<string>());
  }

  /** @param id the id that a created type gets. */
  createType(id: string, { kept, key }: Name): Refusal | null {
    if (kept === null || this.#typeTaken({ id, key })) return ["name"];
    this.types.set(id, { id, name: kept, key });
    return this.#note("tagType.create", id, { name: kept });
  }

  updateType(id: string, { kept, key }: Name): Refusal | null {
    const type = this.types.get(id);
    if (kept === null) return ["name"];
    if (!type) return "NotFoundError";
    if (this.#typeTaken({ id, key })) return ["name"];
    this.types.set(id, { id, name: kept, key });
    return this.#noteDifferences("tagType.update", id, type, { name: kept });
  }

  deleteType(id: string): Refusal | null {
    const type = this.types.get(id);
    if (!type) return "NotFoundError";
    if ([...this.tags.values()].some(({ typeId }) => typeId === id)) return ["id"];
    this.types.delete(id);
    return this.#note("tagType.delete", id, { name: type.name });
  }

  /** @param channel the index of the channel; null for one that does not exist. */
  createTag(id: string, channel: number | null, name: Name, color: Color, typeId: string): Refusal | null {
    const wrong = this.#wrong({ name, color, typeId });
    if (channel === null) return ["channelId", ...wrong].sort();
    if (wrong.length > 0) return wrong;
    const kept = { name: name.kept ?? "", color: color.kept ?? "", typeId };
    const tag = { id, channel, key: name.key, changed: false, ...kept };
    if (this.#tagTaken(tag)) return ["name"];
    this.tags.set(id, tag);
    return this.#note("tag.create", id, kept);
  }

  /** @param seen the index of the only channel that the caller may use; null for every channel. */
  updateTag(id: string, seen: number | null, update: TagUpdate): Refusal | null {
    const wrong = this.#wrong(update);
    if (wrong.length > 0) return wrong;
    const tag = this.#seenTag(id, seen);
    if (!tag) return "NotFoundError";
    const became = {
      name: update.name?.kept ?? tag.name,
      color: update.color?.kept ?? tag.color,
      typeId: update.typeId ?? tag.typeId,
    };
    const key = update.name?.key ?? tag.key;
    if (this.#tagTaken({ ...tag, ...became, key })) return [update.name ? "name" : "tagTypeId"];
    const before = this.audit.length;
    this.#noteDifferences("tag.update", id, tag, became);
    this.tags.set(id, { ...tag, ...became, key, changed: tag.changed || this.audit.length > before });
    return null;
  }

  deleteTag(id: string, seen: number | null): Refusal | null {
    const tag = this.#seenTag(id, seen);
    if (!tag) return "NotFoundError";
    this.tags.delete(id);
    for (const tags of this.carried) tags.delete(id);
    const { name, color, typeId } = tag;
    return this.#note("tag.delete", id, { name, color, typeId });
  }

  #wrong({ name, color, typeId }: TagUpdate): string[] {
    const wrong: string[] = [];
    if (color === null || color?.kept === null) wrong.push("color");
    if (name === null || name?.kept === null) wrong.push("name");
    if (typeId === null || (typeId !== undefined && !this.types.has(typeId))) wrong.push("tagTypeId");
    return wrong;
  }

  #seenTag(id: string, seen: number | null): ModelTag | undefined {
    const tag = this.tags.get(id);
    return tag && (seen ?? tag.channel) === tag.channel ? tag : undefined;
  }

  #typeTaken({ id, key }: { id: string; key: string }): boolean {
    return [...this.types.values()].some((other) => other.id !== id && other.key === key);
  }

  #tagTaken({ id, channel, typeId, key }: ModelTag): boolean {
    return [...this.tags.values()].some(
      (other) => other.id !== id && other.channel === channel && other.typeId === typeId && other.key === key,
    );
  }

  #note(action: string, subjectId: string, change: object): null {
    this.audit.push({ action, subjectId, change });
    return null;
  }

  #noteDifferences<Values extends object>(action: string, id: string, was: Values, became: Partial<Values>) {
    const change: Record<string, object> = {};
    for (const field of Object.keys(became) as (keyof Values & string)[]) {
      if (was[field] !== became[field]) change[field] = { from: was[field], to: became[field] };
    }
    return Object.keys(change).length === 0 ? null : this.#note(action, id, change);
  }
}
