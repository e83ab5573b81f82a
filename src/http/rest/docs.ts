import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";

/** All of the page comes from here. Swagger UI puts styles on its elements, and pictures into its styles. */
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** /openapi.json, made of the routes that are registered below `face`, and /docs, which shows it. */
export async function addDocs(face: FastifyInstance): Promise<void> {
  await face.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "invite-links",
        version: "1",
        description:
          "The invite links of Telegram channels, as the clients of the former REST API know them. Times are RFC 3339, in UTC, to the second. New programs find more in GraphQL, at /graphql.",
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
      tags: [{ name: "invite_links" }, { name: "tags" }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  face.get("/openapi.json", { schema: { hide: true } }, async () => face.swagger());
  await face.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: CONTENT_POLICY,
    uiConfig: { persistAuthorization: false, tryItOutEnabled: true },
    theme: { title: "invite-links · REST" },
  });
}
