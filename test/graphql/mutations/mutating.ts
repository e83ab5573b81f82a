import type { TestServer } from "../../support/server.js";

/** Makes a function that calls a mutation of the form `name(input: NameInput!): NameSuccess | …` and returns its result. */
export function mutating(server: TestServer) {
  return async (name: string, input: object, selection = "__typename", token = server.token) => {
    const type = name[0]?.toUpperCase() + name.slice(1);
    const { data, errors } = await server.ask(
      `mutation ($input: ${type}Input!) {
        ${name}(input: $input) {
          __typename
          ... on ${type}Success { ${selection} }
          ... on UserError { code message }
          ... on ValidationError { fieldErrors { field message } }
        }
      }`,
      { input },
      token,
    );
    if (errors) throw new Error(JSON.stringify(errors));
    return data[name];
  };
}

/** The names of the fields in a ValidationError, or null for any other result. */
export const fieldsOf = (result: { fieldErrors?: readonly { field: string }[] }): string[] | null =>
  result.fieldErrors?.map(({ field }) => field) ?? null;

export const globalId = (kind: string, id: string) => Buffer.from(`${kind}:${id}`).toString("base64");

/** A valid UUID that no row has. */
export const MISSING_ID = "01991000-0000-7000-8000-00000000ffff";
