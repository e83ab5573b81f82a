// The code of docs/webhooks.md that verifies signatures, run in each language that this machine has.

import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

interface Language {
  /** Of the code block. */
  readonly name: string;
  readonly command: string;
  readonly file: string;
  /** Completes the snippet to a program that reads {secret, headers, body} as JSON and prints true or false. */
  readonly program: (snippet: string) => string;
}

const LANGUAGES: readonly Language[] = [
  {
    name: "js",
    command: "node",
    file: "verify.mjs",
    program: (snippet) => `import { readFileSync } from "node:fs";
${snippet}
const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
console.log(verify(secret, headers, body));`,
  },
  {
    name: "python",
    command: "python3",
    file: "verify.py",
    program: (snippet) => `import json, sys
${snippet}
given = json.load(sys.stdin)
print("true" if verify(given["secret"], given["headers"], given["body"].encode()) else "false")`,
  },
  {
    name: "php",
    command: "php",
    file: "verify.php",
    program: (snippet) => `${snippet}
$given = json_decode(file_get_contents("php://stdin"), true);
echo verify($given["secret"], $given["headers"], $given["body"]) ? "true" : "false";`,
  },
  {
    name: "perl",
    command: "perl",
    file: "verify.pl",
    program: (snippet) => `use strict; use warnings; use JSON::PP; use Encode qw(encode);
${snippet}
my $given = decode_json(join "", <STDIN>);
print verify($given->{secret}, $given->{headers}, encode("UTF-8", $given->{body})) ? "true" : "false";`,
  },
];

const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes....").toString("base64")}`;
const BODY = '{"type":"member.joined","data":{"name":"Läufer 🏃"}}';

function signed(at = new Date(), body = BODY) {
  const id = "V2ViaG9va0RlbGl2ZXJ5OjAx";
  return {
    secret: SECRET,
    headers: {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": `v1,AAAA ${new Webhook(SECRET).sign(id, at, body)}`,
    },
    body,
  };
}

const good = signed();
const CASES: readonly (readonly [what: string, given: object, verdict: boolean])[] = [
  ["accepts a signed body", good, true],
  ["refuses another body", { ...good, body: `${BODY} ` }, false],
  ["refuses another id", { ...good, headers: { ...good.headers, "webhook-id": "other" } }, false],
  ["refuses another secret", { ...good, secret: `whsec_${Buffer.from("other").toString("base64")}` }, false],
  ["refuses an old timestamp", signed(new Date(Date.now() - 3_600_000)), false],
  [
    "refuses a signature that is none",
    { ...good, headers: { ...good.headers, "webhook-signature": "v1," } },
    false,
  ],
];

const isInstalled = ({ command }: Language): boolean =>
  spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;

describe.each(LANGUAGES)("the signature check in $name of docs/webhooks.md", (language) => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "invite-links-snippet-"));
    const text = await readFile(new URL("../../../docs/webhooks.md", import.meta.url), "utf8");
    const snippet = new RegExp(`\`\`\`${language.name}\n([^]*?)\n\`\`\``).exec(text)?.[1] ?? "";
    expect(snippet).toContain("verify");
    await writeFile(join(folder, language.file), language.program(snippet));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.skipIf(!isInstalled(language)).each(CASES)("%s", (_what, given, verdict) => {
    const { stdout, stderr } = spawnSync(language.command, [join(folder, language.file)], {
      input: JSON.stringify(given),
      encoding: "utf8",
    });
    expect({ verdict: stdout.trim(), stderr }).toEqual({ verdict: String(verdict), stderr: "" });
  });
});
