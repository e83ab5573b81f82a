import type { Database, UnitOfWork } from "../../database/database.js";
import { statement } from "../../database/statement.js";
import { audit, differences } from "../shared/audit.js";
import { type Caller, requireEveryChannel, requireRole } from "../shared/caller.js";
import { NotFoundError, Problems, ValidationError } from "../shared/errors.js";
import { newId, parseId } from "../shared/ids.js";
import { foldName } from "../shared/text.js";
import { readName, refuseTakenName } from "./names.js";
import { type TagType, tagTypeColumns } from "./tag.js";

const TAKEN = "There is a tag type of this name already.";

export interface UpdateTagTypeInput {
  readonly id: string;
  readonly name: string;
}

/** Tag types, for one request. Every caller may read them; only a caller that may use every channel changes them. */
export class TagTypes {
  readonly #database: Database;
  readonly #caller: Caller;

  constructor(database: Database, caller: Caller) {
    this.#database = database;
    this.#caller = caller;
  }

  /** All types, sorted by name. */
  list(): Promise<TagType[]> {
    return this.#database.query<TagType>(
      statement("tag_types_list")`select ${tagTypeColumns} from tag_type y order by y.name_key, y.id`,
    );
  }

  /** @throws ForbiddenError; ValidationError if the name is not acceptable or, regardless of case, taken. */
  async create(input: { readonly name: string }): Promise<TagType> {
    this.#requireRights();
    const problems = new Problems();
    const name = readName(input.name, problems);
    problems.check();
    const type = { id: newId(), name };
    const stored = this.#database.transaction(async (unit) => {
      await unit.prisma.tagType.create({ data: { ...type, nameKey: foldName(name), createdAt: new Date() } });
      await audit(unit, this.#caller, { action: "tagType.create", subjectId: type.id, change: { name } });
    });
    await refuseTakenName(stored, TAKEN);
    return type;
  }

  /**
   * Renames a type. The name that it already has changes nothing.
   * @throws as `create`, and NotFoundError.
   */
  async update(input: UpdateTagTypeInput): Promise<TagType> {
    this.#requireRights();
    const problems = new Problems();
    const id = parseId("TagType", input.id, "id", problems);
    const name = readName(input.name, problems);
    problems.check();
    const stored = this.#database.transaction(async (unit) => {
      const type = await this.#lock(unit, id);
      if (type.name === name) return type;
      await unit.prisma.tagType.update({
        where: { id: type.id },
        data: { name, nameKey: foldName(name), updatedAt: new Date() },
      });
      await audit(unit, this.#caller, {
        action: "tagType.update",
        subjectId: type.id,
        change: differences(type, { name }),
      });
      return { id: type.id, name };
    });
    return refuseTakenName(stored, TAKEN);
  }

  /**
   * Deletes a type that no tag has, in any channel.
   * @returns the type's id.
   * @throws ForbiddenError, NotFoundError; ValidationError if a tag has the type.
   */
  async delete(input: { readonly id: string }): Promise<string> {
    this.#requireRights();
    const problems = new Problems();
    const id = parseId("TagType", input.id, "id", problems);
    problems.check();
    return this.#database.transaction(async (unit) => {
      const type = await this.#lock(unit, id);
      // A request that gives a tag this type locks the type as well, so the number of tags cannot grow meanwhile.
      const tags = await unit.prisma.tag.count({ where: { typeId: type.id } });
      if (tags > 0) {
        const message = `This type still has ${tags === 1 ? "1 tag" : `${tags} tags`}.`;
        throw new ValidationError([{ field: "id", message }]);
      }
      await unit.prisma.tagType.delete({ where: { id: type.id } });
      await audit(unit, this.#caller, {
        action: "tagType.delete",
        subjectId: type.id,
        change: { name: type.name },
      });
      return type.id;
    });
  }

  #requireRights(): void {
    requireRole(this.#caller, "EDITOR");
    requireEveryChannel(this.#caller);
  }

  /** Reads a type and locks it until the transaction ends. @throws NotFoundError */
  async #lock(unit: UnitOfWork, id: string | null): Promise<TagType> {
    await unit.execute(statement("tag_type_lock")`select from tag_type where id = ${id}::uuid for update`);
    const type = id && (await unit.prisma.tagType.findUnique({ where: { id } }));
    if (!type) throw new NotFoundError("tag type");
    return type;
  }
}
