import { lexicographicSortSchema, printSchema } from "graphql";
import { builder } from "./builder.js";
import "./types/apiToken.js";
import "./types/channel.js";
import "./types/createInviteLink.js";
import "./types/editInviteLink.js";
import "./types/inviteLink.js";
import "./types/tag.js";
import "./types/tagType.js";
import "./types/uncertainCreation.js";
import "./types/viewer.js";

/** The whole graph. */
export const schema = builder.toSchema();

/** The text of schema.graphql. */
export const printedSchema = (): string => `${printSchema(lexicographicSortSchema(schema))}\n`;
