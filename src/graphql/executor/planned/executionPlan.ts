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
import type { ValidOperation } from "../executor.js";
import { collectFields, collectSubfields, getFieldDef } from "../graphqlInternals.js";
import { type Shape, shapeOf } from "./shape.js";

export type Arguments = Readonly<Record<string, unknown>>;

/** The selected fields of one object type, in the order of the response. */
export interface Selection {
  readonly fields: readonly PlannedField[];
  /**
   * Describes the selection for the response memo: for one object, equal signatures have equal JSON. Null if a field is
   * not pure, so that the JSON depends on more than the object: on the caller, arguments or the time.
   */
  readonly signature: string | null;
}

/** A selected field of one object type, with everything about it that is the same for all requests. */
export interface PlannedField {
  /** The JSON before the field's value: a brace or a comma, and the response key. */
  readonly prefix: string;
  /** The alias, or the field's name. */
  readonly responseKey: string;
  /** All places of the document that select the field under this response key. */
  readonly nodes: readonly FieldNode[];
  readonly definition: GraphQLField<unknown, unknown>;
  readonly parentType: GraphQLObjectType;
  /** Null: the value is the object's property with the field's name. */
  readonly resolve: GraphQLFieldResolver<unknown, unknown> | null;
  /** Null: the arguments depend on variables, or cannot be read, which is an error of each request. */
  readonly arguments: Arguments | null;
  /** Number of the field within its plan, from 0. */
  readonly index: number;
  readonly shape: Shape;
}

const DIRECTIVES: readonly string[] = [GraphQLSkipDirective.name, GraphQLIncludeDirective.name];

/** The names of the variables in the arguments of a field or a directive. */
function variablesOf({ arguments: given = [] }: FieldNode | DirectiveNode): string[] {
  const names: string[] = [];
  const Variable = ({ name }: VariableNode): void => void names.push(name.value);
  for (const argument of given) visit(argument, { Variable });
  return names;
}

/** The names of the variables that decide which fields are selected: those at `@skip` and `@include`. */
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
 * The prepared form of one operation, made once for all its requests: the selected fields of each type, their resolvers,
 * and how their values are completed. The selection for a nested type is made when the first object of the type occurs.
 */
export class ExecutionPlan {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>;
  readonly root: Selection;
  /** Only the variables of decidingVariables: a plan must not depend on any other. */
  readonly #deciding: Readonly<Record<string, unknown>>;
  readonly #selections = new Map<readonly FieldNode[], Map<GraphQLObjectType, Selection>>();
  #fieldCount = 0;

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

  /**
   * The selection for an object of `type` that the field of `nodes` has returned.
   * @throws GraphQLError for a directive that cannot be read.
   */
  selection(type: GraphQLObjectType, nodes: readonly FieldNode[]): Selection {
    let byType = this.#selections.get(nodes);
    if (!byType) {
      byType = new Map();
      this.#selections.set(nodes, byType);
    }
    let selection = byType.get(type);
    if (!selection) {
      selection = this.#select(
        type,
        collectSubfields(this.schema, this.fragments, this.#deciding, type, nodes),
      );
      byType.set(type, selection);
    }
    return selection;
  }

  #select(type: GraphQLObjectType, collected: ReadonlyMap<string, readonly FieldNode[]>): Selection {
    const fields: PlannedField[] = [];
    for (const [responseKey, nodes] of collected) {
      const prefix = `${fields.length === 0 ? "{" : ","}${JSON.stringify(responseKey)}:`;
      const field = this.#plan(type, prefix, responseKey, nodes);
      if (field) fields.push(field);
    }
    return { fields, signature: this.#signatureOf(fields) };
  }

  #signatureOf(fields: readonly PlannedField[]): string | null {
    const parts: string[] = [];
    for (const { prefix, nodes, definition, parentType, shape } of fields) {
      const isPure = !definition.resolve || definition.extensions["isPure"] === true;
      const isTypeName = definition === TypeNameMetaFieldDef;
      if (definition.args.length > 0 || !(isPure || isTypeName)) return null;
      parts.push(prefix, isTypeName ? parentType.name : definition.name);
      if (shape.kind === "leaf") continue;
      if (shape.kind !== "object" || shape.type.isTypeOf) return null;
      const nested = this.#nestedSignature(shape.type, nodes);
      if (nested === null) return null;
      parts.push(nested);
    }
    return `${parts.join("")}}`;
  }

  #nestedSignature(type: GraphQLObjectType, nodes: readonly FieldNode[]): string | null {
    try {
      return this.selection(type, nodes).signature;
    } catch {
      // The error is reported when an object of this type occurs.
      return null;
    }
  }

  /** Null for a field that the type does not have. */
  #plan(
    parentType: GraphQLObjectType,
    prefix: string,
    responseKey: string,
    nodes: readonly FieldNode[],
  ): PlannedField | null {
    const node = nodes[0] as FieldNode;
    const definition = getFieldDef(this.schema, parentType, node);
    if (!definition) return null;
    const index = this.#fieldCount;
    this.#fieldCount += 1;
    return {
      prefix,
      responseKey,
      nodes,
      definition,
      parentType,
      resolve: definition.resolve ?? null,
      arguments: variablesOf(node).length === 0 ? readArguments(definition, node) : null,
      index,
      shape: shapeOf(definition.type),
    };
  }
}

/** A field's arguments; null if they cannot be read. Each request then reads them again and reports the error. */
function readArguments(definition: GraphQLField<unknown, unknown>, node: FieldNode): Arguments | null {
  try {
    return getArgumentValues(definition, node, {});
  } catch {
    return null;
  }
}
