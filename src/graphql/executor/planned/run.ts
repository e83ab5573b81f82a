import {
  defaultFieldResolver,
  defaultTypeResolver,
  type FieldNode,
  type GraphQLAbstractType,
  type GraphQLError,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getArgumentValues,
  isObjectType,
  locatedError,
} from "graphql";
import { fastPaths } from "../../../fastPaths.js";
import type { ExecutorResult } from "../executor.js";
import { addPath, inspect, isIterableObject, type Path, pathToArray } from "../graphqlInternals.js";
import { type Json, jsonOf } from "../json.js";
import type { Arguments, ExecutionPlan, PlannedField, Selection } from "./executionPlan.js";
import { findResponseMemo, noResponseMemo } from "./responseMemo.js";
import type { Shape } from "./shape.js";

const findMemo = fastPaths.responseMemo ? findResponseMemo : noResponseMemo;

type MaybePromise<Value> = Value | Promise<Value>;

/** As graphql-js decides it, but without a property lookup on strings and numbers. */
const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === "object" && typeof (value as Promise<unknown> | null)?.then === "function";

/** The `info` of a resolver. Few resolvers read it, so each property is made when it is read. */
class FieldInfo implements GraphQLResolveInfo {
  readonly #run: Run;
  readonly #field: PlannedField;
  readonly #parentPath: Path | undefined;

  constructor(run: Run, field: PlannedField, parentPath: Path | undefined) {
    this.#run = run;
    this.#field = field;
    this.#parentPath = parentPath;
  }

  get fieldName() {
    return this.#field.definition.name;
  }
  get fieldNodes() {
    return this.#field.nodes;
  }
  get returnType() {
    return this.#field.definition.type;
  }
  get parentType() {
    return this.#field.parentType;
  }
  get path() {
    return pathOf(this.#parentPath, this.#field);
  }
  get schema() {
    return this.#run.plan.schema;
  }
  get fragments() {
    return this.#run.plan.fragments;
  }
  get rootValue() {
    return undefined;
  }
  get operation() {
    return this.#run.plan.operation;
  }
  get variableValues() {
    return this.#run.variables as Record<string, unknown>;
  }
}

const pathOf = (parentPath: Path | undefined, { responseKey, parentType }: PlannedField): Path =>
  addPath(parentPath, responseKey, parentType.name);

/**
 * One execution of a plan. Its result equals that of graphql-js, as a property test checks. Errors of the server, such as
 * null for a non-null field, are no GraphQLErrors, so that the pipeline masks them.
 */
class Run {
  readonly plan: ExecutionPlan;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly #context: unknown;
  /** Arguments that depend on variables, by PlannedField.index. */
  readonly #arguments: Arguments[] = [];
  readonly #errors: GraphQLError[] = [];
  /** Paths that an error has made null; undefined is the root. Errors below them are not reported. */
  readonly #nulledPaths = new Set<Path | undefined>();

  constructor(plan: ExecutionPlan, context: unknown, variables: Readonly<Record<string, unknown>>) {
    this.plan = plan;
    this.#context = context;
    this.variables = variables;
  }

  execute(): MaybePromise<ExecutorResult> {
    try {
      const data = this.#object(this.plan.root, undefined, undefined);
      return isPromise(data)
        ? data.then(
            (complete) => this.#result(complete),
            (error) => this.#rootFailed(error),
          )
        : this.#result(data);
    } catch (error) {
      return this.#rootFailed(error as GraphQLError);
    }
  }

  #result(data: Json): ExecutorResult {
    return this.#errors.length === 0 ? { data } : { errors: this.#errors, data };
  }

  #rootFailed(error: GraphQLError): ExecutorResult {
    this.#addError(error, undefined);
    return this.#result("null");
  }

  #addError(error: GraphQLError, path: Path | undefined): void {
    if (this.#nulledPaths.has(undefined)) return;
    for (let at = path; at !== undefined; at = at.prev) if (this.#nulledPaths.has(at)) return;
    this.#nulledPaths.add(path);
    this.#errors.push(error);
  }

  #object({ fields }: Selection, source: unknown, path: Path | undefined): MaybePromise<Json> {
    // `awaited` holds pairs: the JSON before a value that is awaited, and the value. `text` is the JSON after the last pair.
    let text = "";
    let awaited: MaybePromise<Json>[] | undefined;
    try {
      for (const field of fields) {
        const value = this.#field(field, source, path);
        if (typeof value === "string") {
          text += field.prefix + value;
        } else {
          awaited ??= [];
          awaited.push(text + field.prefix, value);
          text = "";
        }
      }
    } catch (error) {
      if (!awaited) throw error;
      // The error is thrown after the pending fields have ended, so that none of them fails unhandled.
      return Promise.allSettled(awaited).then(() => {
        throw error;
      });
    }
    text += fields.length === 0 ? "{}" : "}";
    if (!awaited) return text;
    return Promise.all(awaited).then((parts) => joined(parts) + text);
  }

  #field(field: PlannedField, source: unknown, parentPath: Path | undefined): MaybePromise<Json> {
    const { shape } = field;
    let path: Path | undefined;
    try {
      const value: unknown = this.#resolve(field, source, parentPath);
      // A leaf has nothing below it that would need the path.
      if (shape.kind === "leaf" && !isPromise(value)) return this.#complete(field, shape, parentPath, value);
      const own = pathOf(parentPath, field);
      path = own;
      return this.#completeGuarded(field, shape, own, value);
    } catch (error) {
      return this.#nullOrThrow(error, field, shape, path ?? pathOf(parentPath, field));
    }
  }

  #resolve(field: PlannedField, source: unknown, parentPath: Path | undefined): unknown {
    const { resolve, definition } = field;
    if (resolve === null && typeof source === "object" && source !== null) {
      const value = (source as Record<string, unknown>)[definition.name];
      if (typeof value !== "function") return value;
    }
    const info = new FieldInfo(this, field, parentPath);
    return (resolve ?? defaultFieldResolver)(source, this.#argumentsOf(field), this.#context, info);
  }

  /** Completes the value of a field or a list's item; an error makes it null if its type is nullable. */
  #completeGuarded(field: PlannedField, shape: Shape, path: Path, value: unknown): MaybePromise<Json> {
    try {
      const completed = isPromise(value)
        ? value.then((resolved) => this.#complete(field, shape, path, resolved))
        : this.#complete(field, shape, path, value);
      if (!isPromise(completed)) return completed;
      return completed.then(undefined, (error: unknown) => this.#nullOrThrow(error, field, shape, path));
    } catch (error) {
      return this.#nullOrThrow(error, field, shape, path);
    }
  }

  /** Records the error and returns null. @throws the located error if the type is not nullable. */
  #nullOrThrow(error: unknown, { nodes }: PlannedField, { isNullable }: Shape, path: Path): Json {
    const located = locatedError(error, nodes, pathToArray(path));
    if (!isNullable) throw located;
    this.#addError(located, path);
    return "null";
  }

  #complete(field: PlannedField, shape: Shape, path: Path | undefined, value: unknown): MaybePromise<Json> {
    if (value == null) {
      if (shape.isNullable) return "null";
      throw new Error(`Cannot return null for non-nullable field ${nameOf(field)}.`);
    }
    if (value instanceof Error) throw value;
    switch (shape.kind) {
      case "leaf":
        return jsonOf(serialized(shape.type, value));
      case "list":
        return this.#list(field, shape.item, path, value);
      case "object":
        return this.#typedObject(shape.type, field, path, value);
      case "abstract":
        return this.#abstract(shape.type, field, path, value);
    }
  }

  #list(field: PlannedField, item: Shape, path: Path | undefined, value: unknown): MaybePromise<Json> {
    if (!isIterableObject(value)) {
      throw new TypeError(`Expected Iterable, but did not find one for field "${nameOf(field)}".`);
    }
    // As in #object.
    let text = "[";
    let awaited: MaybePromise<Json>[] | undefined;
    let failure: { readonly error: unknown } | undefined;
    let index = 0;
    for (const element of value) {
      if (failure) {
        // The list is null already. A rejection must not end the process.
        if (isPromise(element)) element.then(undefined, () => {});
        continue;
      }
      try {
        const completed = this.#completeGuarded(field, item, addPath(path, index, undefined), element);
        if (index > 0) text += ",";
        index += 1;
        if (typeof completed === "string") {
          text += completed;
        } else {
          awaited ??= [];
          awaited.push(text, completed);
          text = "";
        }
      } catch (error) {
        failure = { error };
      }
    }
    text += "]";
    if (!awaited) {
      if (failure) throw failure.error;
      return text;
    }
    if (!failure) return Promise.all(awaited).then((parts) => joined(parts) + text);
    const { error } = failure;
    return Promise.allSettled(awaited).then(() => {
      throw error;
    });
  }

  #typedObject(
    type: GraphQLObjectType,
    field: PlannedField,
    path: Path | undefined,
    value: unknown,
  ): MaybePromise<Json> {
    const selection = this.plan.selection(type, field.nodes);
    if (!type.isTypeOf) return this.#objectMemoized(selection, path, value);
    const check = (isOfType: boolean): MaybePromise<Json> => {
      if (isOfType) return this.#object(selection, value, path);
      throw new TypeError(`Expected value of type "${type.name}" but got: ${inspect(value)}.`);
    };
    const isOfType = type.isTypeOf(value, this.#context, new FieldInfo(this, field, path?.prev));
    return isPromise(isOfType) ? isOfType.then(check) : check(isOfType);
  }

  /** As #object, unless the same selection of an object that is kept between requests was answered before. */
  #objectMemoized(selection: Selection, path: Path | undefined, value: unknown): MaybePromise<Json> {
    const { signature } = selection;
    const memo = signature === null ? undefined : findMemo(value);
    if (!memo) return this.#object(selection, value, path);
    const known = memo.find(signature as string);
    if (known !== undefined) return known;
    const errors = this.#errors.length;
    const json = this.#object(selection, value, path);
    if (typeof json === "string" && errors === this.#errors.length) memo.store(signature as string, json);
    return json;
  }

  #abstract(
    type: GraphQLAbstractType,
    field: PlannedField,
    path: Path | undefined,
    value: unknown,
  ): MaybePromise<Json> {
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const info = new FieldInfo(this, field, path?.prev);
    const complete = (name: string | undefined): MaybePromise<Json> =>
      this.#typedObject(this.#possible(type, name, value), field, path, value);
    const name = resolveType(value, this.#context, info, type);
    return isPromise(name) ? name.then(complete) : complete(name);
  }

  #possible(type: GraphQLAbstractType, name: string | undefined, value: unknown): GraphQLObjectType {
    const { schema } = this.plan;
    const found = name === undefined ? undefined : schema.getType(name);
    if (isObjectType(found) && schema.isSubType(type, found)) return found;
    throw new TypeError(
      `Abstract type "${type.name}" was given ${inspect(name)} as the type of ${inspect(value)}.`,
    );
  }

  /** Arguments are the same for every object of a list, so they are read once in an execution. */
  #argumentsOf({ arguments: planned, index, definition, nodes }: PlannedField): Arguments {
    if (planned) return planned;
    const known = this.#arguments[index];
    if (known) return known;
    const values = getArgumentValues(definition, nodes[0] as FieldNode, this.variables);
    this.#arguments[index] = values;
    return values;
  }
}

/** Array.join would copy the parts here; V8 joins concatenated strings once, when the response is encoded. */
const joined = (parts: readonly Json[]): Json => parts.reduce((text, part) => text + part, "");

const nameOf = ({ parentType, definition }: PlannedField): string => `${parentType.name}.${definition.name}`;

function serialized(type: GraphQLLeafType, value: unknown): unknown {
  const result: unknown = type.serialize(value);
  if (result != null) return result;
  throw new Error(
    `Expected \`${inspect(type)}.serialize(${inspect(value)})\` to return non-nullable value, returned: ${inspect(result)}`,
  );
}

/** @param variables coerced; with the values of the deciding variables for which the plan was made. */
export const executePlan = (
  plan: ExecutionPlan,
  context: unknown,
  variables: Readonly<Record<string, unknown>>,
): MaybePromise<ExecutorResult> => new Run(plan, context, variables).execute();
