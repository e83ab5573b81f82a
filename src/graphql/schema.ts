import { errorTypeMap } from "@pothos/plugin-errors";
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLSchema,
  lexicographicSortSchema,
  printSchema,
} from "graphql";
import type { UserError } from "../domain/errors.js";
import { globalId, type IdKind } from "../domain/ids.js";
import { builder } from "./builder.js";
import type { GraphQLContext } from "./context.js";
import { OF_ITS_OBJECT } from "./execution/plan.js";
import "./types/apiToken.js";
import "./types/channel.js";
import "./types/createInviteLink.js";
import "./types/editInviteLink.js";
import "./types/inviteLink.js";
import "./types/setInviteLinkTags.js";
import "./types/tag.js";
import "./types/tagType.js";
import "./types/uncertainCreation.js";
import "./types/viewer.js";

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
    id.extensions = { ...id.extensions, ...OF_ITS_OBJECT };
  }
  return graph;
}

/** The whole graph. */
export const schema = givingIdsAtOnce(notingGivenErrors(builder.toSchema()));

/** The text of schema.graphql. */
export const printedSchema = (): string => `${printSchema(lexicographicSortSchema(schema))}\n`;
