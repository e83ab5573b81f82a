import { lexicographicSortSchema, printSchema } from "graphql";
import { builder } from "./builder/builder.js";
import "./mutations/apiToken.js";
import "./mutations/channel.js";
import "./mutations/createInviteLink.js";
import "./mutations/editInviteLink.js";
import "./mutations/inviteLinkBatch.js";
import "./mutations/joinRequests.js";
import "./mutations/memberAdministration.js";
import "./mutations/resolveCreation.js";
import "./mutations/setInviteLinkTags.js";
import "./mutations/tag.js";
import "./mutations/tagType.js";
import "./mutations/webhook.js";
import "./nodes/apiToken.js";
import "./nodes/auditEntry.js";
import "./nodes/channel.js";
import "./nodes/failedUpdate.js";
import "./nodes/inviteLink.js";
import "./nodes/inviteLinkBatch.js";
import "./nodes/joinRequest.js";
import "./nodes/memberEvent.js";
import "./nodes/tag.js";
import "./nodes/tagType.js";
import "./nodes/uncertainCreation.js";
import "./nodes/viewer.js";
import "./nodes/webhook.js";
import "./subscriptions.js";

/** The whole schema: each import above adds its types and fields to the builder. */
export const schema = builder.toSchema();

/** The text of schema.graphql. */
export const printedSchema = (): string => `${printSchema(lexicographicSortSchema(schema))}\n`;
