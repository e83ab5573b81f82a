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
import { inspect } from "graphql/jsutils/inspect.js";
import { isIterableObject } from "graphql/jsutils/isIterableObject.js";
import { addPath, type Path, pathToArray } from "graphql/jsutils/Path.js";
import { fastPaths } from "../../../fastPaths.js";
import { type Json, jsonOf } from "../json.js";
import type { Arguments, ExecutionPlan, PlannedField, Selection } from "./executionPlan.js";
import { findResponseMemo, noResponseMemo } from "./responseMemo.js";
import type { Shape } from "./shape.js";

const findMemo = fastPaths.responseMemo ? findResponseMemo : noResponseMemo;

type MaybePromise<Value> = Value | Promise<Value>;

/** As graphql-js has it, without looking for methods of texts and numbers. */
const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === "object" && typeof (value as Promise<unknown> | null)?.then === "function";

/** What an operation came to. */
export interface PlanResult {
  readonly data: Json;
  readonly errors?: readonly GraphQLError[];
}

/** What a resolver is told of its place: most ask nothing of it, so that it is only put together when asked. */
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

const pathOf = (parentPath: Path | undefined, { key, parentType }: PlannedField): Path =>
  addPath(parentPath, key, parentType.name);

/**
 * Executes a query's plan once. What it answers is what graphql-js answers, which a test holds it against; what goes
 * wrong on this side is no GraphQLError, so that it is masked.
 */
class Run {
  readonly plan: ExecutionPlan;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly #context: unknown;
  readonly #arguments: Arguments[] = [];
  readonly #errors: GraphQLError[] = [];
  /** Places that an error made null: what happens beneath them is nobody's any more. */
  readonly #nulled = new Set<Path | undefined>();

  constructor(plan: ExecutionPlan, context: unknown, variables: Readonly<Record<string, unknown>>) {
    this.plan = plan;
    this.#context = context;
    this.variables = variables;
  }

  answer(): MaybePromise<PlanResult> {
    try {
      const data = this.#object(this.plan.root, undefined, undefined);
      return isPromise(data)
        ? data.then(
            (complete) => this.#result(complete),
            (error) => this.#failed(error),
          )
        : this.#result(data);
    } catch (error) {
      return this.#failed(error as GraphQLError);
    }
  }

  #result(data: Json): PlanResult {
    return this.#errors.length === 0 ? { data } : { errors: this.#errors, data };
  }

  #failed(error: GraphQLError): PlanResult {
    this.#note(error, undefined);
    return this.#result("null");
  }

  #note(error: GraphQLError, path: Path | undefined): void {
    if (this.#nulled.has(undefined)) return;
    for (let place = path; place !== undefined; place = place.prev) if (this.#nulled.has(place)) return;
    this.#nulled.add(path);
    this.#errors.push(error);
  }

  #object({ fields }: Selection, source: unknown, path: Path | undefined): MaybePromise<Json> {
    // What comes before the first that is awaited, between two such, and after the last.
    let text = "";
    let awaited: MaybePromise<Json>[] | undefined;
    try {
      for (const field of fields) {
        const value = this.#field(field, source, path);
        if (typeof value === "string") {
          text += field.lead + value;
        } else {
          awaited ??= [];
          awaited.push(text + field.lead, value);
          text = "";
        }
      }
    } catch (error) {
      if (!awaited) throw error;
      // The others end first, and may fail as well.
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
      // Nothing is beneath a leaf that would need to know where it is.
      if (shape.kind === "leaf" && !isPromise(value)) return this.#complete(field, shape, parentPath, value);
      const own = pathOf(parentPath, field);
      path = own;
      return this.#completeGuarded(field, shape, own, value);
    } catch (error) {
      return this.#settle(error, field, shape, path ?? pathOf(parentPath, field));
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

  /** The value of a field or of a list's place, or null for one that failed and may be. */
  #completeGuarded(field: PlannedField, shape: Shape, path: Path, value: unknown): MaybePromise<Json> {
    try {
      const completed = isPromise(value)
        ? value.then((resolved) => this.#complete(field, shape, path, resolved))
        : this.#complete(field, shape, path, value);
      if (!isPromise(completed)) return completed;
      return completed.then(undefined, (error: unknown) => this.#settle(error, field, shape, path));
    } catch (error) {
      return this.#settle(error, field, shape, path);
    }
  }

  /** @returns null, having noted the error. @throws the error where null will not do. */
  #settle(error: unknown, { nodes }: PlannedField, { isNullable }: Shape, path: Path): Json {
    const located = locatedError(error, nodes, pathToArray(path));
    if (!isNullable) throw located;
    this.#note(located, path);
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
        return this.#objectOf(shape.type, field, path, value);
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
    let place = 0;
    for (const one of value) {
      if (failure) {
        // Nobody waits for it any more.
        if (isPromise(one)) one.then(undefined, () => {});
        continue;
      }
      try {
        const completed = this.#completeGuarded(field, item, addPath(path, place, undefined), one);
        if (place > 0) text += ",";
        place += 1;
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

  #objectOf(
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
      this.#objectOf(this.#possible(type, name, value), field, path, value);
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

  /** The same for every object of a list: read once in a run. */
  #argumentsOf({ arguments: known, place, definition, nodes }: PlannedField): Arguments {
    if (known) return known;
    const read = this.#arguments[place];
    if (read) return read;
    const values = getArgumentValues(definition, nodes[0] as FieldNode, this.variables);
    this.#arguments[place] = values;
    return values;
  }
}

/** Not by Array's join, which would copy them: once, in the end, is enough. */
const joined = (parts: readonly Json[]): Json => parts.reduce((text, part) => text + part, "");

const nameOf = ({ parentType, definition }: PlannedField): string => `${parentType.name}.${definition.name}`;

function serialized(type: GraphQLLeafType, value: unknown): unknown {
  const result: unknown = type.serialize(value);
  if (result != null) return result;
  throw new Error(
    `Expected \`${inspect(type)}.serialize(${inspect(value)})\` to return non-nullable value, returned: ${inspect(result)}`,
  );
}

/**
 * Executes a planned query.
 * @param variables coerced, those of which the plan was made among them.
 */
export const executePlan = (
  plan: ExecutionPlan,
  context: unknown,
  variables: Readonly<Record<string, unknown>>,
): MaybePromise<PlanResult> => new Run(plan, context, variables).answer();
