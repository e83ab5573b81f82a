import sql from "sql-template-tag";
import type { Database, UnitOfWork } from "../../database/database.js";
import { audit, differences } from "../shared/audit.js";
import { type Caller, requireEveryChannel, requireRole } from "../shared/caller.js";
import { NotFoundError, Problems, ValidationError } from "../shared/errors.js";
import { newId, parseId } from "../shared/ids.js";
import { foldName } from "../shared/text.js";
import { readName, refusingTwins } from "./names.js";
import { type TagType, tagTypeColumns } from "./tag.js";

const TAKEN = "There is a tag type of this name already.";

export interface UpdateTagTypeInput {
  readonly id: string;
  readonly name: string;
}

/** The types of tags, for one request. They are everybody's to read, and changed by who may use every channel. */
export class TagTypes {
  readonly #database: Database;
  readonly #caller: Caller;

  constructor(database: Database, caller: Caller) {
    this.#database = database;
    this.#caller = caller;
  }

  /** All of them, by name. */
  list(): Promise<TagType[]> {
    return this.#database.query<TagType>(
      sql`select ${tagTypeColumns} from tag_type y order by y.name_key, y.id`,
    );
  }

  /** @throws ForbiddenError, ValidationError where the name is not acceptable or taken (case folded). */
  async create(input: { readonly name: string }): Promise<TagType> {
    this.#requireChanging();
    const problems = new Problems();
    const name = readName(input.name, problems);
    problems.check();
    const type = { id: newId(), name };
    const stored = this.#database.transaction(async (unit) => {
      await unit.prisma.tagType.create({ data: { ...type, nameKey: foldName(name), createdAt: new Date() } });
      await audit(unit, this.#caller, { action: "tagType.create", subjectId: type.id, change: { name } });
    });
    await refusingTwins(stored, TAKEN);
    return type;
  }

  /**
   * Renames a type; to the name that it has changes nothing.
   * @throws ForbiddenError, NotFoundError, ValidationError as for a new one.
   */
  async update(input: UpdateTagTypeInput): Promise<TagType> {
    this.#requireChanging();
    const problems = new Problems();
    const id = parseId("TagType", input.id, "id", problems);
    const name = readName(input.name, problems);
    problems.check();
    const stored = this.#database.transaction(async (unit) => {
      const type = await this.#hold(unit, id);
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
    return refusingTwins(stored, TAKEN);
  }

  /**
   * Deletes a type that no tag is of, in no channel.
   * @returns its id.
   * @throws ForbiddenError, NotFoundError, ValidationError where there are such tags.
   */
  async delete(input: { readonly id: string }): Promise<string> {
    this.#requireChanging();
    const problems = new Problems();
    const id = parseId("TagType", input.id, "id", problems);
    problems.check();
    return this.#database.transaction(async (unit) => {
      const type = await this.#hold(unit, id);
      // Whoever gives a tag this type holds it meanwhile: while it is held here, none can come.
      const tags = await unit.prisma.tag.count({ where: { typeId: type.id } });
      if (tags > 0) {
        const message = `There ${tags === 1 ? "is 1 tag" : `are ${tags} tags`} of this type still.`;
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

  #requireChanging(): void {
    requireRole(this.#caller, "EDITOR");
    requireEveryChannel(this.#caller);
  }

  /** The type as it stands, nobody else's to change before the transaction ends. @throws NotFoundError */
  async #hold(unit: UnitOfWork, id: string | null): Promise<TagType> {
    await unit.execute(sql`select from tag_type where id = ${id}::uuid for update`);
    const type = id && (await unit.prisma.tagType.findUnique({ where: { id } }));
    if (!type) throw new NotFoundError("tag type");
    return type;
  }
}
