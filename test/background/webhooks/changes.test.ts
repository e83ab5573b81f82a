import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeOnForms, USUAL_FORMS } from "../../support/databases.js";
import { LiveBed, type LiveServer, NEWS } from "../../support/liveServers.js";
import { change, makeWebhook, showWebhook } from "./administration.js";
import { isSigned, Receiver, until } from "./receiver.js";

await describeOnForms("a webhook that is changed during an attempt", USUAL_FORMS, (form) => {
  let bed: LiveBed;
  let server: LiveServer;
  let receiver: Receiver;
  let webhook: { id: string; secret: string };
  let answer: (status: number) => void;

  beforeEach(async () => {
    bed = await LiveBed.prepare(form);
    server = await bed.start(0, { webhookAllowPrivate: true });
    receiver = await Receiver.listen();
    const held = new Promise<ServerResponse>((resolve) => {
      receiver.next.push((_request, response) => resolve(response));
    });
    answer = (status) => void held.then((response) => response.writeHead(status).end());
    webhook = await makeWebhook(server, receiver.url, ["MEMBER_JOINED"]);
    // The first attempt alone runs, since it has not succeeded yet.
    for (let count = 0; count < 5; count += 1) bed.telegram.control.join(NEWS, bed.newPerson());
    await receiver.got(1);
    await until(async () => (await showWebhook(server, webhook.id)).deliveries.totalCount === 5);
  });
  afterEach(async () => {
    await bed.close();
    await receiver.close();
  });

  const states = async () =>
    (await showWebhook(server, webhook.id)).deliveries.nodes.map(({ state }) => state);
  const complaints = () => JSON.stringify(server.log).match(/"level":"(error|warn)"[^}]*webhook[^}]*/g);

  /** Resolves when the sender has seen every change so far: it has found another webhook's delivery. */
  const senderLooks = async () => {
    const other = await Receiver.listen();
    const { id } = await makeWebhook(server, other.url, ["LINK_CREATED"]);
    await server.makeLink(NEWS);
    await other.got(1);
    await change(server, "deleteWebhook", { id });
    await other.close();
  };

  it("and deleted is called no more, and nothing is logged", async () => {
    await change(server, "deleteWebhook", { id: webhook.id });
    await senderLooks();
    answer(204);
    await senderLooks();
    expect(receiver.received).toHaveLength(1);
    expect(complaints()).toBeNull();
  });

  it("and switched off stores the outcome, begins nothing, and goes on in order when it is on again", async () => {
    await change(server, "updateWebhook", { id: webhook.id, isEnabled: false });
    await senderLooks();
    answer(204);
    await until(async () => (await states()).filter((state) => state === "DELIVERED").length === 1);
    expect(await states()).toEqual(["WAITING", "WAITING", "WAITING", "WAITING", "DELIVERED"]);
    expect(receiver.received).toHaveLength(1);
    await change(server, "updateWebhook", { id: webhook.id, isEnabled: true });
    const received = await receiver.got(5);
    const people = received.map(({ body }) => body.data.userId);
    expect(people).toEqual([...people].sort((one, other) => one - other));
    expect(complaints()).toBeNull();
  });

  it("and given another address sends the rest there, a failed attempt included", async () => {
    const other = await Receiver.listen();
    await change(server, "updateWebhook", { id: webhook.id, url: other.url });
    await senderLooks();
    answer(503);
    const received = await other.got(4);
    await until(async () => (await states()).filter((state) => state === "DELIVERED").length === 4);
    const { deliveries } = await showWebhook(server, webhook.id, "states: [WAITING]");
    await change(server, "redeliver", { deliveryIds: deliveries.nodes.map(({ id }) => id) });
    await other.got(5);
    expect(received.every((request) => isSigned(request, webhook.secret))).toBe(true);
    // A busy machine may send it again before the others, by itself.
    expect(received.map(({ text }) => text)).toContain(receiver.received[0]?.text);
    expect(receiver.received).toHaveLength(1);
    await other.close();
  });
});
