import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import type { OpenAPIV3_1 } from "openapi-types";

/** The page loads everything from this server. Swagger UI needs inline styles and data: images. */
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * Corrects two mistakes of the libraries: they list every schema a second time as input, and they require a body that may
 * be null.
 */
const corrected: typeof jsonSchemaTransformObject = (generated) => {
  const document = jsonSchemaTransformObject(generated) as OpenAPIV3_1.Document;
  const schemas = Object.entries(document.components?.schemas ?? {});
  for (const operation of Object.values(document.paths ?? {}).flatMap((path) => Object.values(path ?? {}))) {
    const { requestBody } = operation as { requestBody?: OpenAPIV3_1.RequestBodyObject };
    const schema = requestBody?.content["application/json"]?.schema as OpenAPIV3_1.SchemaObject | undefined;
    const mayBeNull = schema?.anyOf?.some((form) => "type" in form && form.type === "null");
    if (requestBody && mayBeNull) requestBody.required = false;
  }
  return {
    ...document,
    components: {
      ...document.components,
      schemas: Object.fromEntries(schemas.filter(([name]) => !name.endsWith("Input"))),
    },
  } as ReturnType<typeof jsonSchemaTransformObject>;
};

/** The bar has the logo of Fastify and a field for the address of another document. */
const WITHOUT_BAR = ".swagger-ui .topbar { display: none; }";

/** Serves /openapi.json, which is generated from the routes that are registered on `face`, and /docs, which shows it. */
export async function addDocs(face: FastifyInstance): Promise<void> {
  await face.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "invite-links",
        version: "1",
        description:
          "Invite links of Telegram channels, for clients of the former REST API. Times are RFC 3339 in UTC, with whole seconds. New clients should use GraphQL at /graphql, which offers more.",
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
      tags: [{ name: "invite_links" }, { name: "tags" }, { name: "transfer" }],
    },
    transform: jsonSchemaTransform,
    transformObject: corrected,
  });
  face.get("/openapi.json", { schema: { hide: true } }, async () => face.swagger());
  await face.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: CONTENT_POLICY,
    uiConfig: { persistAuthorization: false, tryItOutEnabled: true },
    theme: { title: "invite-links · REST", css: [{ filename: "plain.css", content: WITHOUT_BAR }] },
  });
}
