// Preloaded into a server process (`node --import`). A request with the header `x-signal: SIGKILL before 3` makes the process
// send itself SIGKILL just before it sends its third message to the database, counted from the arrival of the request and
// over all sessions. `sent 3` means just after the message was sent, and `answered 3` just after its answer arrived. Nothing
// happens if the request is answered before, unless the header ends in ` on`: `SIGKILL before 300 on`. If it ends in ` own`,
// only the messages of the request count, and not those of other requests or of the server's own work.
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import pg from "pg";

/** The request whose header was read last. */
let signallingRequest;
let signal;
let when;
let isOwn = false;
let messagesLeft = Number.POSITIVE_INFINITY;
/** The request that the current work belongs to. */
const requests = new AsyncLocalStorage();

function sendSignal() {
  writeSync(process.stderr.fd, `${signal} ${when}\n`);
  process.kill(process.pid, signal);
}

subscribe("http.server.request.start", ({ request }) => {
  requests.enterWith(request);
  const point = request.headers["x-signal"]?.split(" ");
  if (point === undefined) return;
  signallingRequest = point[3] === "on" ? undefined : request;
  isOwn = point[3] === "own";
  [signal, when] = point;
  messagesLeft = Number(point[2]);
});
subscribe("http.server.response.finish", ({ request }) => {
  if (request === signallingRequest) messagesLeft = Number.POSITIVE_INFINITY;
});

// The messages that PostgreSQL answers: a simple query, and the end of an extended one. The embedded database gets the same.
for (const name of ["query", "sync"]) {
  const send = pg.Connection.prototype[name];
  pg.Connection.prototype[name] = function (...args) {
    if (isOwn && requests.getStore() !== signallingRequest) return send.apply(this, args);
    messagesLeft -= 1;
    const here = messagesLeft === 0;
    if (here && when === "before") sendSignal();
    if (here && when === "answered") this.once("readyForQuery", sendSignal);
    send.apply(this, args);
    // pg corks the socket until the whole query is written.
    if (here && when === "sent") setImmediate(sendSignal);
  };
}
