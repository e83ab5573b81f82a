import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { preset } from "@graphql-codegen/client-preset";
import { codegen } from "@graphql-codegen/core";
import { buildASTSchema, parse } from "graphql";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHANNEL, startTestServer, type TestServer, YOUTUBE } from "../support/server.js";
import { compile, copyOf, pathOf } from "./compile.js";

const SCALARS = {
  DateTime: "string",
  Decimal: "string",
  JSON: "object",
  TelegramID: "number",
  URL: "string",
};

/** Does what graphql-codegen's command line does with `preset: "client"`. The command line needs hundreds of packages. */
async function generate(folder: string, scalars: Record<string, string>): Promise<void> {
  const location = join(folder, "documents.graphql");
  const rawSDL = await readFile(location, "utf8");
  const schema = parse(await readFile(pathOf("../../schema.graphql"), "utf8"));
  const outputs = await preset.buildGeneratesSection({
    schema,
    schemaAst: buildASTSchema(schema),
    documents: [{ location, rawSDL, document: parse(rawSDL) }],
    baseOutputDir: join(folder, "gql/"),
    presetConfig: {},
    config: { scalars, strictScalars: true, enumType: "const", useTypeImports: true, importExtension: ".js" },
    plugins: [],
    pluginMap: {},
  });
  await mkdir(join(folder, "gql"), { recursive: true });
  for (const output of outputs) await writeFile(output.filename, await codegen(output));
}

/** The exports of codegen/program.ts. */
interface Program {
  connect(url: string, token: string): object;
  dearest(client: object, channelId: number, createdTo: string): Promise<string[]>;
  create(client: object, input: object): Promise<string>;
  kind(client: object, id: string): Promise<string>;
}

let folder: string;
let server: TestServer;
beforeAll(async () => {
  folder = await copyOf("codegen");
  await generate(folder, SCALARS);
  server = await startTestServer();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await server.stop();
});

describe("graphql-codegen's client preset", () => {
  test("a program that switches on __typename compiles with the generated types and runs", async () => {
    expect(await compile(folder)).toEqual([]);
    const program: Program = await import(pathToFileURL(join(folder, "out/program.js")).href);
    const admin = program.connect(server.url, server.token);
    const { data } = await server.ask(
      `{ inviteLinks(channelId: ${CHANNEL}, first: 2, orderBy: { field: BUDGET, direction: DESC }) { nodes { id name budget } } }`,
    );
    const now = new Date().toISOString();
    const [dearest, second] = data.inviteLinks.nodes;
    expect(await program.dearest(admin, CHANNEL, now)).toEqual(
      [dearest, second].map(({ name, budget }) => `${name}: ${budget}, 20`),
    );
    expect(await program.kind(admin, dearest.id)).toBe(`link ${dearest.name}`);
    expect(await program.kind(admin, btoa(`Tag:${YOUTUBE}`))).toBe(`tag #FF0000 of ${CHANNEL}`);

    const input = { channelId: CHANNEL, name: "Typed", budget: "9.90" };
    expect(await program.create(admin, input)).toMatch(/^https:\/\/t\.me\/\+/);
    expect(await program.create(admin, { ...input, name: "", memberLimit: 0 })).toBe("memberLimit, name");
    const reader = program.connect(server.url, await server.makeToken({ role: "VIEWER" }));
    expect(await program.create(reader, input)).toBe("not allowed");
    server.sandbox.control.fail({ kind: "cut", effect: "after" }, { method: "createChatInviteLink" });
    expect(await program.create(admin, input)).toBe("perhaps made");
  });

  test("the generated types reject every use that contradicts the schema", async () => {
    const file = join(folder, "mistakes.ts");
    const lines = (await readFile(file, "utf8")).split("\n");
    const mistakes = lines.flatMap((line, index) => (line.includes("@ts-expect-error") ? [index + 2] : []));
    await writeFile(file, lines.map((line) => line.replace("@ts-expect-error", "Refused:")).join("\n"));
    const refused = (await compile(folder)).map((error) => Number(/^mistakes\.ts\((\d+),/.exec(error)?.[1]));
    expect(mistakes.length).toBeGreaterThan(0);
    expect([...new Set(refused)]).toEqual(mistakes);
  });

  test.each(Object.keys(SCALARS))("generating fails without a type for the scalar %s", async (scalar) => {
    const others = Object.fromEntries(Object.entries(SCALARS).filter(([name]) => name !== scalar));
    await expect(generate(folder, others)).rejects.toThrow(scalar);
  });
});
