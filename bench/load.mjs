// The load generator: a process of its own that keeps connections busy for one slice and checks every response. It uses bare
// sockets, because the CPU time that it uses is taken from the measured servers.
//
// Each message to the process is an Order; the process answers with a Slice.

import net from "node:net";
import { countsOf, record } from "./latencies.mjs";

/**
 * @typedef {object} Order
 * @property {number} port
 * @property {string[]} requests as HTTP text, sent in turn
 * @property {number} connections
 * @property {number} milliseconds after which no request is sent; requests in flight are waited for
 * @property {boolean} writes true: responses to the same request may differ in length
 * @property {number} [perSecond] requests to send in a second, at even distances, from when each connection has had the answer
 *   to a request that does not count; without it each connection sends its next request as soon as it has its answer
 *
 * @typedef {object} Slice
 * @property {number} answers
 * @property {number} milliseconds from the start to the last response
 * @property {number[]} latencies see latencies.mjs; a request that had to wait for a free connection counts from the time at
 *   which it should have been sent
 * @property {string | null} failure what is wrong with the first incorrect response; null if all are correct
 */

const HEAD_END = Buffer.from("\r\n\r\n");
const CRLF = Buffer.from("\r\n");
const ERRORS = Buffer.from('"errors":');

/**
 * The length in bytes of the response at the start of `data`, and where its body begins. Null: the response is incomplete.
 * @param {Buffer} data
 */
function extent(data) {
  const end = data.indexOf(HEAD_END);
  if (end === -1) return null;
  const body = end + 4;
  const head = data.toString("latin1", 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const total = length === undefined ? chunked(data, body) : body + Number(length);
  return total === null || data.length < total ? null : { body, total };
}

/** The end of a chunked body; null: it is incomplete. @param {Buffer} data @param {number} from */
function chunked(data, from) {
  let at = from;
  for (;;) {
    const line = data.indexOf(CRLF, at);
    if (line === -1) return null;
    const size = Number.parseInt(data.toString("latin1", at, line), 16);
    at = line + 2 + size + 2;
    if (at > data.length) return null;
    if (size === 0) return at;
  }
}

/** Length of the first response, by port and request. Later responses must have the same length. @type {Map<string, number>} */
const lengths = new Map();

/** @param {Order} order @returns {Promise<Slice>} */
function slice({ port, requests, connections, milliseconds, writes, perSecond }) {
  const wires = requests.map((text) => Buffer.from(text));
  const latencies = countsOf();
  let started = process.hrtime.bigint();
  const sinceStart = () => Number(process.hrtime.bigint() - started) / 1e6;
  let [next, answers, last] = [0, 0, 0];
  /** @type {string | null} */
  let failure = null;

  /** @param {number} index @param {Buffer} answer @param {number} body */
  const check = (index, answer, body) => {
    const excerpt = () => answer.toString("utf8", 0, 600).replace(/\s+/g, " ");
    const status = answer.toString("latin1", 9, 12);
    if (status !== "200") return `status ${status}: ${excerpt()}`;
    if (answer.indexOf(ERRORS, body) !== -1) return `errors: ${excerpt()}`;
    if (writes) return null;
    const key = `${port} ${requests[index]}`;
    const length = answer.length - body;
    const expected = lengths.get(key);
    if (expected === undefined) lengths.set(key, length);
    else if (expected !== length)
      return `${length} bytes, but the first response had ${expected}: ${excerpt()}`;
    return null;
  };

  /** What connections do once all of them have had an answer. @type {(() => void)[]} */
  const prepared = [];
  const begin = () => {
    started = process.hrtime.bigint();
    for (const ask of prepared.splice(0)) ask();
  };

  const connection = () =>
    new Promise((resolve) => {
      const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
      /** @type {Buffer[]} */
      let parts = [];
      let [index, asked, wanted, got] = [0, 0, 0, 0];
      let isPrepared = perSecond === undefined;
      const ask = () => {
        if (failure !== null || sinceStart() >= milliseconds) {
          socket.destroy();
          resolve(undefined);
          return;
        }
        const due = perSecond === undefined ? 0 : (next * 1000) / perSecond;
        index = next % wires.length;
        next += 1;
        const early = due - sinceStart();
        if (early > 0) setTimeout(send, early);
        else send(perSecond === undefined ? undefined : due);
      };
      /** @param {number} [due] when it should have been sent */
      const send = (due = sinceStart()) => {
        parts = [];
        [wanted, got] = [0, 0];
        asked = due;
        socket.write(/** @type {Buffer} */ (wires[index]));
      };
      const fail = (/** @type {string} */ reason) => {
        failure ??= reason;
        begin();
        ask();
      };
      socket.on("connect", isPrepared ? ask : () => send());
      socket.on("error", (error) => fail(String(error)));
      socket.on("end", () => fail("the server closed the connection"));
      socket.on("data", (part) => {
        parts.push(/** @type {Buffer} */ (part));
        got += part.length;
        if (got < wanted) return;
        const data = parts.length === 1 ? /** @type {Buffer} */ (parts[0]) : Buffer.concat(parts);
        parts = [data];
        const found = extent(data);
        if (found === null) {
          // With a known length, the data are not examined again until all of it has arrived.
          const head = data.indexOf(HEAD_END);
          const length =
            head === -1 ? null : /\r\ncontent-length: *(\d+)/i.exec(data.toString("latin1", 0, head))?.[1];
          wanted = length == null ? 0 : head + 4 + Number(length);
          return;
        }
        if (!isPrepared) {
          isPrepared = true;
          prepared.push(ask);
          if (prepared.length === connections) begin();
          return;
        }
        last = sinceStart();
        record(latencies, last - asked);
        answers += 1;
        const wrong = check(index, data, found.body);
        if (wrong === null) ask();
        else fail(wrong);
      });
    });

  return Promise.all(Array.from({ length: connections }, connection)).then(() => ({
    answers,
    milliseconds: last,
    latencies,
    failure,
  }));
}

process.on("message", async (/** @type {Order} */ order) => {
  process.send?.(await slice(order));
});
