import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLFieldResolver,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getArgumentValues,
  Kind,
  type OperationDefinitionNode,
  TypeNameMetaFieldDef,
  type VariableNode,
  visit,
} from "graphql";
import { collectFields, collectSubfields } from "graphql/execution/collectFields.js";
import { getFieldDef } from "graphql/execution/execute.js";
import type { ValidOperation } from "../executor.js";
import { type Shape, shapeOf } from "./shape.js";

export type Arguments = Readonly<Record<string, unknown>>;

/** The fields of an object that are asked for, in the order of the answer. */
export interface Selection {
  readonly fields: readonly PlannedField[];
  /**
   * What is asked, as a text: of one object, everybody who asks the same is answered the same. Null where an answer hangs
   * on more than the object, such as who asks, arguments or the moment.
   */
  readonly signature: string | null;
}

/** A field that is asked for of one type of object, with everything about it that no request changes. */
export interface PlannedField {
  /** What comes before its value in the answer, its key included. */
  readonly lead: string;
  /** In the answer. */
  readonly key: string;
  readonly nodes: readonly FieldNode[];
  readonly definition: GraphQLField<unknown, unknown>;
  readonly parentType: GraphQLObjectType;
  /** Null where it is the property of its name. */
  readonly resolve: GraphQLFieldResolver<unknown, unknown> | null;
  /** Null where they hang on the operation's variables. */
  readonly arguments: Arguments | null;
  /** Its place among all fields of the plan. */
  readonly place: number;
  readonly shape: Shape;
}

const DIRECTIVES: readonly string[] = [GraphQLSkipDirective.name, GraphQLIncludeDirective.name];

/** The variables in the arguments of a field or a directive. */
function variablesOf({ arguments: given = [] }: FieldNode | DirectiveNode): string[] {
  const names: string[] = [];
  const Variable = ({ name }: VariableNode): void => void names.push(name.value);
  for (const argument of given) visit(argument, { Variable });
  return names;
}

/** The variables that decide which fields of a document are asked for. */
export function decidingVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    Directive(node) {
      if (DIRECTIVES.includes(node.name.value)) for (const name of variablesOf(node)) names.add(name);
    },
  });
  return [...names].sort();
}

/**
 * What an operation asks for, worked out once for all its requests: which fields of which types, their resolvers and how
 * their values are completed. Types deeper down are planned when an object of theirs first turns up.
 */
export class ExecutionPlan {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>;
  readonly root: Selection;
  /** Those of decidingVariables alone: no others reach the plan. */
  readonly #deciding: Readonly<Record<string, unknown>>;
  readonly #selections = new Map<readonly FieldNode[], Map<GraphQLObjectType, Selection>>();
  #fields = 0;

  /** @param deciding the values of decidingVariables, coerced. @throws GraphQLError for a directive that cannot be read. */
  constructor({ schema, document, definition }: ValidOperation, deciding: Readonly<Record<string, unknown>>) {
    this.schema = schema;
    this.operation = definition;
    this.fragments = Object.fromEntries(
      document.definitions
        .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
        .map((fragment) => [fragment.name.value, fragment]),
    );
    this.#deciding = deciding;
    const type = schema.getRootType(definition.operation);
    if (!type) throw new TypeError(`The schema has no ${definition.operation}.`);
    this.root = this.#select(
      type,
      collectFields(schema, this.fragments, this.#deciding, type, definition.selectionSet),
    );
  }

  /** What is asked of an object that a field gave. @throws GraphQLError for a directive that makes no sense. */
  selection(type: GraphQLObjectType, nodes: readonly FieldNode[]): Selection {
    let ofTypes = this.#selections.get(nodes);
    if (!ofTypes) {
      ofTypes = new Map();
      this.#selections.set(nodes, ofTypes);
    }
    let selection = ofTypes.get(type);
    if (!selection) {
      selection = this.#select(
        type,
        collectSubfields(this.schema, this.fragments, this.#deciding, type, nodes),
      );
      ofTypes.set(type, selection);
    }
    return selection;
  }

  #select(type: GraphQLObjectType, collected: ReadonlyMap<string, readonly FieldNode[]>): Selection {
    const fields: PlannedField[] = [];
    for (const [key, nodes] of collected) {
      const lead = `${fields.length === 0 ? "{" : ","}${JSON.stringify(key)}:`;
      const field = this.#plan(type, lead, key, nodes);
      if (field) fields.push(field);
    }
    return { fields, signature: this.#signatureOf(fields) };
  }

  #signatureOf(fields: readonly PlannedField[]): string | null {
    const parts: string[] = [];
    for (const { lead, nodes, definition, parentType, shape } of fields) {
      const isPure = !definition.resolve || definition.extensions["isPure"] === true;
      const isTypeName = definition === TypeNameMetaFieldDef;
      if (definition.args.length > 0 || !(isPure || isTypeName)) return null;
      parts.push(lead, isTypeName ? parentType.name : definition.name);
      if (shape.kind === "leaf") continue;
      if (shape.kind !== "object" || shape.type.isTypeOf) return null;
      const below = this.#signatureBelow(shape.type, nodes);
      if (below === null) return null;
      parts.push(below);
    }
    return `${parts.join("")}}`;
  }

  #signatureBelow(type: GraphQLObjectType, nodes: readonly FieldNode[]): string | null {
    try {
      return this.selection(type, nodes).signature;
    } catch {
      // It is said where such an object turns up.
      return null;
    }
  }

  #plan(
    parentType: GraphQLObjectType,
    lead: string,
    key: string,
    nodes: readonly FieldNode[],
  ): PlannedField | null {
    const node = nodes[0] as FieldNode;
    const definition = getFieldDef(this.schema, parentType, node);
    if (!definition) return null;
    const place = this.#fields;
    this.#fields += 1;
    return {
      lead,
      key,
      nodes,
      definition,
      parentType,
      resolve: definition.resolve ?? null,
      arguments: variablesOf(node).length === 0 ? readArguments(definition, node) : null,
      place,
      shape: shapeOf(definition.type),
    };
  }
}

/** Null where they cannot be read, which is the request's to say. */
function readArguments(definition: GraphQLField<unknown, unknown>, node: FieldNode): Arguments | null {
  try {
    return getArgumentValues(definition, node, {});
  } catch {
    return null;
  }
}
