import type { TestServer } from "../../support/server.js";

/** Calls mutations of the form `name(input: NameInput!): NameSuccess | …` and gives their results. */
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

/** The fields that a ValidationError names; null for any other result. */
export const fieldsOf = (result: { fieldErrors?: readonly { field: string }[] }): string[] | null =>
  result.fieldErrors?.map(({ field }) => field) ?? null;

export const globalId = (kind: string, id: string) => Buffer.from(`${kind}:${id}`).toString("base64");

/** An id that nothing has. */
export const NOWHERE = "01991000-0000-7000-8000-00000000ffff";
