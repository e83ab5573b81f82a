import { type RawValue, Sql } from "sql-template-tag";

/**
 * A whole SQL statement under the name by which pg_stat_statements, metrics, logs and traces know it. Parts of statements are
 * Sql and have no name.
 */
export class NamedStatement extends Sql {
  // Not `name`, which pg would take for the name of a prepared statement.
  readonly statementName: string;

  constructor(name: string, strings: readonly string[], values: readonly RawValue[]) {
    super(strings, values);
    this.statementName = name;
  }
}

export type StatementTag = (strings: readonly string[], ...values: readonly RawValue[]) => NamedStatement;

/** The comment with the name follows this, since pg_stat_statements drops comments before the first keyword. */
const FIRST_KEYWORD = /^\s*[a-z]+/i;

/** @returns the text with a comment behind its first keyword; null for a text that does not begin with a keyword. */
function marked(text: string, comment: string): string | null {
  const keyword = FIRST_KEYWORD.exec(text)?.[0];
  return keyword === undefined ? null : keyword + comment + text.slice(keyword.length);
}

function createTag(name: string): StatementTag {
  const comment = ` /* ${name} */`;
  /** The texts of each template with the comment; null for a template that begins with a value, which is marked each time. */
  const templates = new WeakMap<readonly string[], readonly string[] | null>();
  return (strings, ...values) => {
    let texts = templates.get(strings);
    if (texts === undefined) {
      const first = marked(strings[0] as string, comment);
      texts = first === null ? null : [first, ...strings.slice(1)];
      templates.set(strings, texts);
    }
    if (texts !== null) return new NamedStatement(name, texts, values);
    const statement = new NamedStatement(name, strings, values);
    const first = marked(statement.strings[0] as string, comment);
    if (first === null) throw new TypeError(`The statement ${name} does not begin with a keyword.`);
    statement.strings[0] = first;
    return statement;
  };
}

const tags = new Map<string, StatementTag>();

/**
 * The template tag for the statement with this name: statement("…")`select …`. PostgreSQL gets the name in a comment behind the
 * first keyword. A name belongs to one statement, whose texts may differ in filters and order.
 */
export function statement(name: string): StatementTag {
  let tag = tags.get(name);
  if (tag === undefined) {
    tag = createTag(name);
    tags.set(name, tag);
  }
  return tag;
}
