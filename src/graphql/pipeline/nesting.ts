import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  Kind,
  Lexer,
  NoFragmentCyclesRule,
  Source,
  TokenKind,
  validate,
  visit,
} from "graphql";
import { LIMITS, refusal, tooLong } from "./limits.js";

// graphql-js parses, validates and executes recursively, so a document or a value that is nested deeply enough exhausts
// the stack. The functions of this file limit the nesting first. None of them recurses over a client's input.

const OPENING: ReadonlySet<TokenKind> = new Set([TokenKind.PAREN_L, TokenKind.BRACKET_L, TokenKind.BRACE_L]);
const CLOSING: ReadonlySet<TokenKind> = new Set([TokenKind.PAREN_R, TokenKind.BRACKET_R, TokenKind.BRACE_R]);

const tooNested = (what: string): GraphQLError =>
  refusal("QUERY_TOO_DEEP", `${what}; at most ${LIMITS.nesting} levels are accepted.`);

/**
 * Limits a document's length, its number of tokens and the nesting of its brackets of every kind: selection sets,
 * literals, arguments and type references. To be called before the document is parsed.
 * @throws GraphQLError, also the lexer's own for a text that is not a sequence of tokens.
 */
export function checkTokens(query: string): void {
  if (query.length > LIMITS.characters) throw tooLong("characters");
  const lexer = new Lexer(new Source(query));
  let nesting = 0;
  for (let tokens = 0; lexer.advance().kind !== TokenKind.EOF; ) {
    tokens += 1;
    if (tokens > LIMITS.tokens) throw tooLong("tokens");
    const { kind } = lexer.token;
    if (OPENING.has(kind)) nesting += 1;
    else if (CLOSING.has(kind)) nesting -= 1;
    if (nesting > LIMITS.nesting) throw tooNested("The document's brackets are nested too deeply");
  }
}

/** The selection sets of one definition. */
interface Outline {
  /** The levels of the deepest one. */
  nesting: number;
  /** The fragments that the definition spreads, each with its level. */
  readonly spreads: { readonly name: string; readonly level: number }[];
}

function outlinesOf(document: DocumentNode): { fragments: Map<string, Outline>; all: Set<Outline> } {
  const fragments = new Map<string, Outline>();
  const all = new Set<Outline>();
  for (const definition of document.definitions) {
    const name = definition.kind === Kind.FRAGMENT_DEFINITION ? definition.name.value : null;
    // Validation refuses two fragments of one name. Until then they count as one.
    const outline = (name !== null && fragments.get(name)) || { nesting: 0, spreads: [] };
    if (name !== null) fragments.set(name, outline);
    all.add(outline);
    let level = 0;
    visit(definition, {
      SelectionSet: {
        enter() {
          level += 1;
          outline.nesting = Math.max(outline.nesting, level);
        },
        leave() {
          level -= 1;
        },
      },
      FragmentSpread(spread) {
        outline.spreads.push({ name: spread.name.value, level });
      },
    });
  }
  return { fragments, all };
}

/**
 * Limits the nesting of selection sets with the fragments that are spread in them. To be called before the document is
 * validated. The level of a definition only grows, up to the limit, so the work is at most the limit times the number of
 * spreads.
 * @throws GraphQLError
 */
export function checkFragments(schema: GraphQLSchema, document: DocumentNode): void {
  const { fragments, all } = outlinesOf(document);
  /** The deepest level found so far at which a definition begins. */
  const starts = new Map<Outline, number>();
  const waiting = [...all];
  for (let outline = waiting.pop(); outline !== undefined; outline = waiting.pop()) {
    const start = starts.get(outline) ?? 0;
    if (start + outline.nesting > LIMITS.nesting) {
      // For a fragment that spreads itself the error of graphql-js is clearer.
      const [cycle] = validate(schema, document, [NoFragmentCyclesRule], { maxErrors: 1 });
      throw cycle ?? tooNested("The document's fragments are nested too deeply");
    }
    for (const { name, level } of outline.spreads) {
      const spread = fragments.get(name);
      if (spread === undefined || start + level <= (starts.get(spread) ?? 0)) continue;
      starts.set(spread, start + level);
      waiting.push(spread);
    }
  }
}

/**
 * Why a JSON value exceeds the limits, as the end of a sentence; null if it does not.
 * @param outermost the level of the value itself.
 */
function excessOf(value: object, outermost: number): string | null {
  let values = 0;
  let level: object[] = [value];
  for (let nesting = outermost; level.length > 0; nesting += 1) {
    if (nesting > LIMITS.nesting)
      return `are nested too deeply; at most ${LIMITS.nesting} levels are accepted`;
    const inner: object[] = [];
    for (const current of level) {
      for (const one of Array.isArray(current) ? current : Object.values(current)) {
        values += 1;
        if (values > LIMITS.values) return `hold too many values; at most ${LIMITS.values} are accepted`;
        if (typeof one === "object" && one !== null) inner.push(one);
      }
    }
    level = inner;
  }
  return null;
}

/**
 * Limits the number of values and the nesting in all variables of a request, declared or not, so that all further work
 * with the variables is short.
 * @throws GraphQLError
 */
export function checkVariables(variables: Readonly<Record<string, unknown>>): void {
  const excess = excessOf(variables, 0);
  if (excess !== null) throw refusal("BAD_USER_INPUT", `The variables ${excess}.`);
}

/** Applies the same limits to a request's extensions. @throws GraphQLError */
export function checkExtensions(extensions: unknown): void {
  const excess = typeof extensions === "object" && extensions !== null ? excessOf(extensions, 1) : null;
  if (excess !== null) throw refusal("BAD_USER_INPUT", `The extensions ${excess}.`);
}
