/** A parser of server-sent events that takes text in any pieces. */

/** One item of a stream: what stands before an empty line. */
export interface StreamItem {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** Longest line and longest item; a server that sends more is not ours. */
const MOST_CHARACTERS = 16 * 1024 * 1024;

export class StreamTooLong extends Error {
  override readonly name = "StreamTooLong";
}

/**
 * Feeds on decoded text and gives items. Unlike `EventSource` it gives items without
 * data too: the first one of our streams has none, and says that the stream is open.
 */
export class EventStreamParser {
  #rest = "";
  #endedWithReturn = false;
  #id: string | null = null;
  #event = "";
  #data: string[] = [];
  #length = 0;
  #hasFields = false;

  /**
   * Take the next piece and return the items that it completes.
   *
   * @throws {StreamTooLong} a line or an item is over the bound
   */
  push(text: string): StreamItem[] {
    let piece = text;
    if (this.#endedWithReturn && piece !== "") {
      piece = piece.startsWith("\n") ? piece.slice(1) : piece;
      this.#endedWithReturn = false;
    }
    this.#endedWithReturn ||= piece.endsWith("\r");
    const lines = piece.split(/\r\n|\n|\r/);
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop() ?? "";
    const items: StreamItem[] = [];
    for (const line of lines) {
      this.#takeLine(line, items);
    }
    if (this.#rest.length + this.#length > MOST_CHARACTERS) {
      throw new StreamTooLong("The server sent an item that is too long.");
    }
    return items;
  }

  #takeLine(line: string, items: StreamItem[]): void {
    if (line === "") {
      if (this.#hasFields) {
        const data = this.#data.join("\n");
        items.push({ id: this.#id, event: this.#event || "message", data });
      }
      this.#id = null;
      this.#event = "";
      this.#data = [];
      this.#length = 0;
      this.#hasFields = false;
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) {
      return; // a comment: a heartbeat
    }
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    this.#takeField(name, value);
  }

  #takeField(name: string, value: string): void {
    switch (name) {
      case "id":
        this.#id = value;
        break;
      case "event":
        this.#event = value;
        break;
      case "data":
        this.#data.push(value);
        this.#length += value.length;
        break;
      default:
        return;
    }
    this.#hasFields = true;
  }
}
