import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: an answer has whatever shape its route has.
  readonly body: any;
}

/** What a client wrote that fetch() would not: bytes in headers, several Host headers, half a request. */
export class RawConnection {
  readonly socket: Socket;
  received = "";
  readonly ended: Promise<void>;

  constructor(origin: string) {
    this.socket = connect(Number(new URL(origin).port), "127.0.0.1");
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.received += text;
    });
    // A connection that is reset ends as well; the test sees what was received until then.
    this.socket.on("error", () => {});
    this.ended = once(this.socket, "close").then(() => undefined);
  }

  write(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** The answers so far that came whole, in order. */
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

  /** Waits for the given number of answers, or the connection's end. */
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

/** Sends the bytes of one request, and waits for its answer. */
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
  if (answer === undefined) throw new Error(`There was no answer: ${connection.received}`);
  return answer;
}
