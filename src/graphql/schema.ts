import { errorTypeMap } from "@pothos/plugin-errors";
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLSchema,
  lexicographicSortSchema,
  printSchema,
} from "graphql";
import type { UserError } from "../domain/shared/errors.js";
import { globalId, type IdKind } from "../domain/shared/ids.js";
import { builder } from "./builder/builder.js";
import type { GraphQLContext } from "./builder/context.js";
import { PURE_FIELD } from "./executor/planned/responseMemo.js";
import "./nodes/apiToken.js";
import "./nodes/channel.js";
import "./mutations/createInviteLink.js";
import "./mutations/editInviteLink.js";
import "./nodes/inviteLink.js";
import "./mutations/setInviteLinkTags.js";
import "./nodes/tag.js";
import "./nodes/tagType.js";
import "./nodes/uncertainCreation.js";
import "./nodes/viewer.js";

/** Has the context note the errors that mutations give as members of their unions: nothing else tells of them. */
function notingGivenErrors(graph: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(graph.getMutationType()?.getFields() ?? {})) {
    const resolve = field.resolve ?? defaultFieldResolver;
    field.resolve = async (source, args, context: GraphQLContext, info) => {
      const result: unknown = await resolve(source, args, context, info);
      if (errorTypeMap.has(result as object)) context.givenErrors.push(result as UserError);
      return result;
    };
  }
  return graph;
}

/** Gives global ids at once: of the plugin's own resolver every link, tag and type on a page would be awaited for its id. */
function givingIdsAtOnce(graph: GraphQLSchema): GraphQLSchema {
  const node = graph.getType("Node") as GraphQLInterfaceType;
  for (const type of graph.getImplementations(node).objects) {
    const { id } = type.getFields() as { id: GraphQLField<{ readonly id: string }, unknown> };
    id.resolve = (thing) => globalId(type.name as IdKind, thing.id);
    id.extensions = { ...id.extensions, ...PURE_FIELD };
  }
  return graph;
}

/** The whole graph. */
export const schema = givingIdsAtOnce(notingGivenErrors(builder.toSchema()));

/** The text of schema.graphql. */
export const printedSchema = (): string => `${printSchema(lexicographicSortSchema(schema))}\n`;
