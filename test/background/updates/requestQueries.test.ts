import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { RequestQueries } from "../../../src/background/updates/requestQueries.js";
import { DatabaseUnavailableError } from "../../../src/domain/shared/errors.js";
import { RequestBed } from "../../domain/joinRequests/bed.js";
import { received } from "../../domain/members/updates.js";
import { UNGUARDED } from "../../domain/support.js";

const METHOD = "answerChatJoinRequestQuery";

let bed: RequestBed;
let person = 8_000_000;
beforeAll(async () => {
  bed = await RequestBed.open();
});
afterAll(() => bed?.close());
beforeEach(() => bed.database.prisma.joinRequestPolicy.deleteMany());

/** A person asks to join by a link whose requests the server approves at once. @returns how the query is answered */
async function answerTo(requireWritable: () => void): Promise<unknown> {
  const { control } = bed.telegram;
  const { chatId, url, link } = await bed.askIn("C");
  await bed.database.prisma.joinRequestPolicy.create({
    data: { linkId: link.id, channelId: link.channelId, approveAfterSeconds: 0 },
  });
  person += 1;
  control.join(chatId, { id: person, is_bot: false, first_name: "Q" }, { url, asksBot: true });
  const services = bed.services();
  const queries = new RequestQueries(
    { ...services, storageGuard: { ...UNGUARDED, requireWritable } },
    bed.log,
  );
  const answered = control.nextCall(METHOD);
  queries.answer(control.pendingUpdates().map(received), bed.receive());
  const { parameters } = await answered;
  await services.pendingWork.drained();
  const { state } = await bed.database.prisma.joinRequest.findFirstOrThrow({
    where: { userId: BigInt(person) },
  });
  return [parameters["result"], state];
}

test("a query is approved, and that is stored, where the server approves at once", async () => {
  expect(await answerTo(() => {})).toEqual(["approve", "APPROVED"]);
});

test("a query is put into the queue while its approval could not be stored", async () => {
  const answer = answerTo(() => {
    throw new DatabaseUnavailableError("diskFull");
  });
  expect(await answer).toEqual(["queue", "PENDING"]);
});
