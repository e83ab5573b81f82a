// Preloaded into a server's process (`node --import`): sends that process a signal, such as SIGKILL, exactly where a
// request's own header says. `x-signal: SIGKILL before 3` is when the third message to the database, counted from that
// request's arrival, would be sent, whoever sends it; `sent 3` when it is on its way; `answered 3` when its answer came.
// A request that is answered before that strikes nothing.
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import pg from "pg";

let armed;
let signal;
let when;
let left = Number.POSITIVE_INFINITY;

function strike() {
  writeSync(process.stderr.fd, `${signal} ${when}\n`);
  process.kill(process.pid, signal);
}

subscribe("http.server.request.start", ({ request }) => {
  const point = request.headers["x-signal"]?.split(" ");
  if (point === undefined) return;
  armed = request;
  [signal, when] = point;
  left = Number(point[2]);
});
subscribe("http.server.response.finish", ({ request }) => {
  if (request === armed) left = Number.POSITIVE_INFINITY;
});

// What PostgreSQL answers: a simple query, and the end of an extended one. The embedded database is spoken to likewise.
for (const name of ["query", "sync"]) {
  const send = pg.Connection.prototype[name];
  pg.Connection.prototype[name] = function (...args) {
    left -= 1;
    const here = left === 0;
    if (here && when === "before") strike();
    if (here && when === "answered") this.once("readyForQuery", strike);
    send.apply(this, args);
    // The socket is corked until the whole query was written.
    if (here && when === "sent") setImmediate(strike);
  };
}
