// HTTP by hand on a socket, for requests that fetch() does not send: invalid bytes in headers, several Host headers, half a
// request.

import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the shape of a response depends on its route.
  readonly body: any;
}

/** A connection to a server on this machine. */
export class RawConnection {
  readonly socket: Socket;
  received = "";
  readonly ended: Promise<void>;

  constructor(origin: string) {
    this.socket = connect(Number(new URL(origin).port), "127.0.0.1");
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.received += text;
    });
    // A reset ends the connection, too. The test looks at the bytes that were received before.
    this.socket.on("error", () => {});
    this.ended = new Promise((resolve) => this.socket.once("close", () => resolve()));
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** The complete answers so far, in order. */
  get answers(): RawAnswer[] {
    const answers: RawAnswer[] = [];
    for (let rest = this.received; ; ) {
      const head = rest.indexOf("\r\n\r\n");
      if (head < 0) return answers;
      const [first = "", ...lines] = rest.slice(0, head).split("\r\n");
      const headers = Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(":")).toLowerCase(),
          line.slice(line.indexOf(":") + 1).trim(),
        ]),
      );
      const end = head + 4 + Number(headers["content-length"] ?? 0);
      if (rest.length < end) return answers;
      const body = Buffer.from(rest.slice(head + 4, end), "latin1").toString();
      answers.push({ status: Number(first.split(" ")[1]), headers, body: parsed(body) });
      rest = rest.slice(end);
    }
  }

  /** Waits for a number of answers or the end of the connection. @returns all answers so far. */
  async answered(count = 1): Promise<RawAnswer[]> {
    while (this.answers.length < count && !this.socket.destroyed) {
      await Promise.race([once(this.socket, "data"), this.ended]);
    }
    return this.answers;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Sends one request and waits for its answer.
 * @param head the request line and the headers.
 * @throws Error if the connection ends without an answer.
 */
export async function sendRaw(
  origin: string,
  head: readonly string[],
  body: Buffer | string = "",
): Promise<RawAnswer> {
  const connection = new RawConnection(origin);
  connection.write(`${head.join("\r\n")}\r\n\r\n`);
  connection.write(body);
  const [answer] = await connection.answered();
  connection.socket.destroy();
  if (answer === undefined) throw new Error(`The server sent no complete answer: ${connection.received}`);
  return answer;
}
