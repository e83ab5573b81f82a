import { lexicographicSortSchema, printSchema } from "graphql";
import { builder } from "./builder.js";
import "./types/access.js";
import "./types/channel.js";
import "./types/createInviteLink.js";
import "./types/inviteLink.js";
import "./types/tag.js";
import "./types/tagType.js";

/** The whole graph. */
export const schema = builder.toSchema();

/** The text of schema.graphql. */
export const printedSchema = (): string => `${printSchema(lexicographicSortSchema(schema))}\n`;
