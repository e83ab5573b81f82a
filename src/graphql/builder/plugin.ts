import SchemaBuilder, {
  BasePlugin,
  type PothosOutputFieldConfig,
  type SchemaTypes as PothosSchemaTypesBase,
} from "@pothos/core";
import { errorTypeMap } from "@pothos/plugin-errors";
import type { GraphQLFieldResolver } from "graphql";
import type { UserError } from "../../domain/shared/errors.js";
import { globalId, ID_KINDS, type IdKind } from "../../domain/shared/ids.js";
import { PURE_FIELD } from "../executor/planned/responseMemo.js";
import type { GraphQLContext } from "./context.js";

const NAME = "inviteLinks";

type Resolver<Types extends PothosSchemaTypesBase> = GraphQLFieldResolver<unknown, Types["Context"], object>;

const isIdKind = (name: string): name is IdKind => (ID_KINDS as readonly string[]).includes(name);

/** The kind of node whose `id` a field is; null for any other field. */
const nodeKindOf = ({ name, parentType }: { name: string; parentType: string }): IdKind | null =>
  name === "id" && isIdKind(parentType) ? parentType : null;

/** Behaviour that fields of the schema share, so that no resolver has to remember it. */
class InviteLinksPlugin<Types extends PothosSchemaTypesBase> extends BasePlugin<Types> {
  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    if (nodeKindOf(config) === null) return config;
    return { ...config, extensions: { ...config.extensions, ...PURE_FIELD } };
  }

  override wrapResolve(resolve: Resolver<Types>, config: PothosOutputFieldConfig<Types>): Resolver<Types> {
    if (config.kind === "Mutation") return aroundMutation(resolve);
    const kind = nodeKindOf(config);
    // The relay plugin's resolver would return a promise for each id on a page.
    return kind === null ? resolve : (node) => globalId(kind, (node as { readonly id: string }).id);
  }
}

const isTypedError = (result: unknown): result is UserError => errorTypeMap.has(result as object);

/**
 * Such a mutation is safe to repeat. Most have changed nothing: they look first, or roll their transaction back. An edit or
 * a revocation of a link and a decision on requests to join may have been carried out, but repeating them changes no more.
 */
const isLackOfRights = (result: unknown): boolean =>
  isTypedError(result) && (result.code === "NOT_FOUND" || result.code === "FORBIDDEN");

/**
 * Wraps a mutation: it sees the changes of the mutations before it, and a typed error that it returns is recorded in the
 * context, because the errors list of the result does not contain typed errors. A mutation whose caller seems to lack rights is
 * repeated if a chat has migrated since the caller's token was read.
 */
function aroundMutation<Types extends PothosSchemaTypesBase>(resolve: Resolver<Types>): Resolver<Types> {
  return async (source, args, anyContext, info) => {
    const context = anyContext as GraphQLContext;
    const attempt = async (): Promise<unknown> => {
      context.beginMutation();
      return resolve(source, args, context, info);
    };
    let result = await attempt();
    if (isLackOfRights(result) && (await context.followMovedGrants())) result = await attempt();
    if (isTypedError(result)) context.givenErrors.push(result);
    return result;
  };
}

SchemaBuilder.registerPlugin(NAME, InviteLinksPlugin);

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends PothosSchemaTypesBase> {
      inviteLinks: InviteLinksPlugin<Types>;
    }
  }
}

export default NAME;
