import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileTransfer } from "../../src/file_transfer";
import { Requests } from "../../src/transport/requests";

interface Asked {
  readonly url: string;
  readonly method: string;
  readonly type: string | null;
  readonly body: string;
}

let asked: Asked[];
let answer: () => Response;
let begun: number;
let lifetime: AbortController;

beforeEach(() => {
  asked = [];
  begun = 0;
  lifetime = new AbortController();
});

afterEach(() => lifetime.abort());

function open(conversation: string | null): FileTransfer {
  const requests = new Requests({
    url: "http://127.0.0.1/api/",
    pageToken: null,
    xsrfToken: () => "x1",
    fetch: async (input, init) => {
      const request = new Request(String(input), { ...init, signal: null });
      asked.push({
        url: request.url,
        method: request.method,
        type: request.headers.get("Content-Type"),
        body: await request.text(),
      });
      return answer();
    },
  });
  const begin = (): void => {
    begun += 1;
  };
  return new FileTransfer({ conversation, requests, begin, signal: lifetime.signal });
}

const forever = new AbortController().signal;
const file = new File(["a,b\n"], "täble 1.csv", { type: "text/csv" });
const taken = { artifact: "f_1", media_type: "text/plain", name: "täble 1.csv" };

describe("an upload", () => {
  test("sends the bytes as they are, and gives the block to attach", async () => {
    answer = () => Response.json(taken, { status: 201 });

    const came = await open("c_1").upload(file, forever);

    const { artifact, media_type, name: title } = taken;
    expect(came).toEqual({ block: { type: "document", artifact, media_type, title } });
    const path = "conversations/c_1/artifacts?name=t%C3%A4ble%201.csv";
    expect(asked).toEqual([
      {
        url: `http://127.0.0.1/api/${path}`,
        ...{ method: "POST", type: "application/octet-stream", body: "a,b\n" },
      },
    ]);
  });

  test("of a picture gives an image", async () => {
    answer = () => Response.json({ ...taken, media_type: "image/png" });

    expect(await open("c_1").upload(file, forever)).toMatchObject({
      block: { type: "image", alt: "täble 1.csv" },
    });
  });

  test("waits for its conversation to be made", async () => {
    answer = () => Response.json(taken);
    const files = open(null);
    const uploads = [files.upload(file, forever), files.upload(file, forever)];
    await Promise.resolve();
    expect([begun, asked]).toEqual([2, []]);

    files.conversation = "c_7";

    expect(await Promise.all(uploads)).toMatchObject([{ block: {} }, { block: {} }]);
    expect(asked[0]?.url).toContain("conversations/c_7/");
  });

  test("that is refused says why", async () => {
    const problem = { code: "invalid_input", message: "Not this kind." };
    answer = () => Response.json(problem, { status: 400 });

    expect(await open("c_1").upload(file, forever)).toEqual({ problem });
  });

  test("ends with its chip", async () => {
    const chip = new AbortController();
    const upload = open(null).upload(file, chip.signal);
    chip.abort();

    expect(await upload).toHaveProperty("problem");
    expect(asked).toEqual([]);
  });

  test("whose answer names nothing has failed", async () => {
    answer = () => Response.json({ ok: true });

    expect(await open("c_1").upload(file, forever)).toHaveProperty("problem");
  });
});

describe("a download", () => {
  test("gives the bytes, or nothing", async () => {
    answer = () => new Response("bytes");
    const files = open("c_1");
    expect(await (await files.download("f/1", forever))?.text()).toBe("bytes");
    expect(asked[0]?.url).toBe(
      "http://127.0.0.1/api/conversations/c_1/artifacts/f%2F1",
    );

    answer = () => new Response("", { status: 404 });
    expect(await files.download("f_2", forever)).toBeNull();
    expect(await open(null).download("f_2", forever)).toBeNull();
  });
});
