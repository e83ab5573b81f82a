import { OperationTypeNode } from "graphql";
import { expect, test } from "vitest";
import { Metrics, type MetricsSources } from "../../src/metrics/metrics.js";
import type { HoldSummary } from "../../src/telegram/holds.js";

const pool = (counts: object) => counts as MetricsSources["pool"];
const idle: MetricsSources = {
  pool: pool({ totalCount: 0, idleCount: 0, waitingCount: 0 }),
  telegramState: () => "ok",
  waitingCalls: () => 0,
  holds: () => [],
  receiver: () => null,
  webhooks: () => null,
  runningBatches: () => 0,
  readsFrom: () => "primary",
};

test("numbers of waiting calls and statements are read at each scrape", async () => {
  const counts = { totalCount: 10, idleCount: 4, waitingCount: 0 };
  let waitingCalls = 7;
  let holds: HoldSummary[] = [
    { scope: "chat", method: "createChatInviteLink", seconds: 60 },
    { scope: "bot", method: null, seconds: 5 },
  ];
  const { registry } = new Metrics({
    pool: pool(counts),
    telegramState: () => "unreachable",
    waitingCalls: () => waitingCalls,
    holds: () => holds,
    receiver: () => null,
    webhooks: () => null,
    runningBatches: () => 0,
    readsFrom: () => "primary",
  });
  const lines = async () => (await registry.metrics()).split("\n");
  expect(await lines()).toEqual(
    expect.arrayContaining([
      "invite_links_database_connections 10",
      "invite_links_database_idle_connections 4",
      "invite_links_database_waiting 0",
      "invite_links_telegram_waiting_calls 7",
      'invite_links_telegram_hold_seconds{scope="chat",method="createChatInviteLink"} 60',
      'invite_links_telegram_hold_seconds{scope="bot",method="all"} 5',
      'invite_links_telegram_state{state="unreachable"} 1',
      'invite_links_telegram_state{state="ok"} 0',
    ]),
  );
  counts.waitingCount = 3;
  waitingCalls = 0;
  holds = [];
  expect(await registry.metrics()).not.toContain("invite_links_telegram_hold_seconds{");
  expect(await lines()).toEqual(
    expect.arrayContaining(["invite_links_database_waiting 3", "invite_links_telegram_waiting_calls 0"]),
  );
});

test("received updates are counted by kind, their batches by outcome, and the receiver's state is read at each scrape", async () => {
  const metrics = new Metrics({
    ...idle,
    receiver: () => ({
      transport: "polling",
      isPolling: true,
      pollingServer: "0199",
      lagSeconds: 3,
      setAside: 2,
      gaps: 1,
      conflict: true,
    }),
  });
  metrics.recordBatch({ kinds: ["member", "member", "joinRequest"], milliseconds: 20, isStored: true });
  metrics.recordBatch({ kinds: ["member"], milliseconds: 20, isStored: false });
  metrics.recordNamelessUpdate();
  metrics.recordRepeatedUpdates(4);
  metrics.recordUpdatesSetAside(5);
  const lines = (await metrics.registry.metrics()).split("\n");
  expect(lines).toEqual(
    expect.arrayContaining([
      'invite_links_updates_received_total{kind="member"} 2',
      'invite_links_updates_received_total{kind="joinRequest"} 1',
      'invite_links_update_batches_total{outcome="stored"} 1',
      'invite_links_update_batches_total{outcome="failed"} 1',
      "invite_links_update_batch_size_sum 3",
      "invite_links_update_batch_duration_seconds_sum 0.02",
      "invite_links_updates_without_id_total 1",
      "invite_links_updates_repeated_total 4",
      "invite_links_updates_set_aside_total 5",
      "invite_links_updates_lag_seconds 3",
      "invite_links_updates_set_aside 2",
      "invite_links_update_gaps 1",
      "invite_links_updates_polling 1",
      "invite_links_updates_conflict 1",
    ]),
  );
  expect(lines.join()).not.toContain("0199");
  expect((await new Metrics(idle).registry.metrics()).split("\n")).toContain(
    "invite_links_updates_polling 0",
  );
});

test("a thousand operation names give two hundred labels and the label other", async () => {
  const metrics = new Metrics(idle);
  const ask = (name: string, executed: boolean) => {
    const operation = { name, type: OperationTypeNode.QUERY, executed, milliseconds: 1, codes: [] };
    const request = {
      caller: null,
      codes: [],
      method: "POST",
      route: "/graphql",
      status: 200,
      milliseconds: 1,
    };
    metrics.recordRequest({ ...request, isProbe: false, operation });
  };
  for (let index = 0; index < 1000; index += 1) {
    ask(`Refused${index}`, false);
    ask(`Name${index}`, true);
    ask("Name0", true);
  }
  const name = "invite_links_graphql_operations_total";
  const counted = (await metrics.registry.metrics())
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => line.slice(name.length));
  expect(counted).toHaveLength(202);
  expect(counted).toEqual(
    expect.arrayContaining([
      '{operation="Name0",type="query",outcome="ok"} 1001',
      '{operation="Name199",type="query",outcome="ok"} 1',
      '{operation="other",type="query",outcome="ok"} 800',
      '{operation="other",type="query",outcome="refused"} 1000',
    ]),
  );
});

test("a subscription is counted, and its duration is not measured", async () => {
  const metrics = new Metrics(idle);
  const request = { caller: null, codes: [], method: "POST", route: "/graphql", status: 200, isProbe: false };
  const operation = { name: "Live", type: OperationTypeNode.SUBSCRIPTION, codes: [] };
  const hours = { milliseconds: 36_000_000 };
  metrics.recordRequest({ ...request, ...hours, operation: { ...operation, ...hours, executed: true } });
  // One that was refused is answered like a query.
  metrics.recordRequest({
    ...request,
    milliseconds: 1,
    operation: { ...operation, milliseconds: 1, executed: false },
  });
  const text = await metrics.registry.metrics();
  expect(text).toContain(
    'invite_links_graphql_operations_total{operation="Live",type="subscription",outcome="ok"} 1',
  );
  expect(text).toContain('invite_links_http_requests_total{route="/graphql",method="POST",status="200"} 2');
  expect(text).toContain(
    'invite_links_http_request_duration_seconds_count{route="/graphql",method="POST"} 1',
  );
  expect(text).not.toContain("invite_links_graphql_operation_duration_seconds_count{");
});

test("two servers in one process have separate metrics", async () => {
  const [one, other] = [new Metrics(idle), new Metrics(idle)];
  one.recordStatement({ name: "tag_by_id", text: "select 1", milliseconds: 250, failure: null });
  const sum = "invite_links_sql_statement_duration_seconds_sum";
  expect(await one.registry.metrics()).toContain(`${sum}{statement="tag_by_id"} 0.25\n`);
  expect(await other.registry.metrics()).not.toContain(`${sum}{`);
});
