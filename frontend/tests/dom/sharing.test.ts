import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import type {
  DataDigest,
  DataSource,
  DigestChoice,
  NoAnswer,
  Uploaded,
  Variable,
} from "../../src/view/types";
import { loadedParts } from "../parts";
import { asks, turnStarts } from "../scenes";
import { ScriptedModel } from "../scripted_model";

const COLUMNS = ["city", "salary", "api_key"];
const FRAME = { name: "df", kind: "DataFrame", shape: "3 × 3" };
const NO_ANSWER: NoAnswer = {
  problem: { code: "no_answer", message: "No answer.", retryable: true },
};

/** A notebook with one frame, whose answers may be held back. */
class Notebook implements DataSource {
  readonly asked: [string, DigestChoice][] = [];
  variables: readonly Variable[] = [
    FRAME,
    { name: "dates", kind: "list", shape: "2 items" },
  ];
  /** Answers wait for it. */
  free: Promise<void> = Promise.resolve();
  isGone = false;

  async names(prefix: string): Promise<readonly Variable[] | NoAnswer> {
    await this.free;
    if (this.isGone) return NO_ANSWER;
    return this.variables.filter(({ name }) => name.startsWith(prefix));
  }

  async digest(name: string, choice: DigestChoice): Promise<DataDigest | NoAnswer> {
    this.asked.push([name, choice]);
    await this.free;
    if (this.isGone) return NO_ANSWER;
    const variable = this.variables.find((one) => one.name === name);
    if (variable === undefined) {
      return { problem: { code: "not_found", message: "There is none." } };
    }
    const allowed = choice.columns ?? ["city", "salary"];
    const columns = COLUMNS.map((column) => ({
      ...{ name: column, dtype: "str", secret: column === "api_key" },
      included: allowed.includes(column),
    }));
    const text = `${name}: ${allowed.join(",")}; ${choice.rows} rows`;
    return { ...variable, text, columns };
  }
}

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let notebook: Notebook;
let view: ChatView;

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  notebook = new Notebook();
  document.body.replaceChildren();
  // jsdom has neither addresses for blobs nor pictures.
  URL.createObjectURL = () => "blob:x";
  URL.revokeObjectURL = () => undefined;
});

afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
});

function open(dataSource: DataSource | undefined = notebook): void {
  view = new ChatView(document.body, model, {
    signal: lifetime.signal,
    parts,
    dataSource,
  });
}

/** Let answers come, and the frame that was asked for be painted. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

function findAll<Found extends HTMLElement>(selector: string): Found[] {
  return [...view.element.querySelectorAll<Found>(selector)].filter(
    (element) => element.closest("[hidden]") === null,
  );
}

function find<Found extends HTMLElement>(selector: string): Found {
  const [found] = findAll<Found>(selector);
  if (found === undefined) throw new Error(`There is no ${selector}.`);
  return found;
}

const texts = (selector: string) => findAll(selector).map((one) => one.textContent);
const field = () => find<HTMLTextAreaElement>(".streamchat-field");
const chips = () => texts(".streamchat-chips .streamchat-chip-name");
const states = () =>
  findAll(".streamchat-chips .streamchat-chip").map((one) => one.dataset["state"]);
const hint = () => find(".streamchat-hint").textContent;
const sent = () => model.asked.filter(([what]) => what === "send");

function type(text: string, caret = text.length): void {
  field().value = text;
  field().setSelectionRange(caret, caret);
  field().dispatchEvent(new InputEvent("input", { bubbles: true }));
}

function press(key: string, target: HTMLElement = field()): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
  return event;
}

function label(name: string): HTMLElement {
  return find(`[aria-label="${name}"]`);
}

/** The box of a column, or the button of a number of rows. */
function choose(name: string): void {
  const found = findAll(".streamchat-preview label").find((one) =>
    one.textContent?.startsWith(name),
  );
  found?.querySelector("input")?.click();
}

function attach(...files: File[]): void {
  const input = view.element.querySelector<HTMLInputElement>('input[type="file"]');
  Object.defineProperty(input, "files", { value: files, configurable: true });
  input?.dispatchEvent(new Event("change"));
}

describe("names after an @", () => {
  test("are offered, and chosen by keyboard", async () => {
    open();
    type("Look at @d");
    await settle();
    expect(field().getAttribute("aria-haspopup")).toBe("listbox");
    expect(field().getAttribute("aria-controls")).toBe(find('[role="listbox"]').id);
    expect(texts('[role="option"]')).toEqual([
      "dfDataFrame 3 × 3",
      "dateslist 2 items",
    ]);
    const active = () => {
      const id = field().getAttribute("aria-activedescendant");
      return find(`[id="${id}"]`).querySelector(".streamchat-chip-name")?.textContent;
    };
    expect(active()).toBe("df");
    press("ArrowDown");
    expect(active()).toBe("dates");
    press("ArrowDown");
    expect(press("Enter").defaultPrevented).toBe(true);
    await settle();

    expect(field().value).toBe("Look at @df ");
    expect(field().hasAttribute("aria-controls")).toBe(false);
    expect(chips()).toEqual(["df"]);
    expect(texts(".streamchat-chips .streamchat-chip-note")).toEqual([
      "3 × 3 · 2 columns shared",
    ]);
    expect(sent()).toEqual([]);
  });

  test("are turned down by Escape, which stops no answer then", async () => {
    model.play(asks("u1", "One?"), turnStarts("t1", "u1"));
    open();
    await settle();
    type("@d");
    await settle();
    press("Escape");
    type("@df");
    await settle();

    expect(findAll('[role="option"]')).toEqual([]);
    expect(model.asked).toEqual([]);
  });

  test("of a kernel that is busy let the reader write and send", async () => {
    notebook.free = new Promise(() => undefined);
    vi.useFakeTimers();
    open();
    type("Hello @");
    vi.advanceTimersByTime(700);
    expect(texts(".streamchat-completion-note")).toEqual([
      "The kernel is busy; waiting…",
    ]);
    press("Enter");

    expect(sent()).toEqual([["send", "Hello @"]]);
  });

  test("are only text where there is no kernel, which is said", async () => {
    view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
    type("@df");
    expect(hint()).toContain("Variables can be shared from a notebook's chat");
    press("Enter");

    expect(sent()).toEqual([["send", "@df"]]);
  });
});

describe("a variable that is shared", () => {
  async function share(): Promise<void> {
    open();
    type("@d");
    await settle();
    press("Enter");
    await settle();
    find<HTMLElement>(".streamchat-chips .streamchat-chip-label").click();
  }
  const digest = () => find(".streamchat-preview pre").textContent;

  test("is sent exactly as previewed, without the columns that are denied", async () => {
    await share();
    expect(digest()).toBe("df: city,salary; 5 rows");
    expect(texts(".streamchat-secret")).toEqual(["looks like a secret"]);
    choose("salary");
    await settle();
    choose("20");
    await settle();
    expect(digest()).toBe("df: city; 20 rows");
    press("Enter");

    const block = { type: "data", name: "df", text: "df: city; 20 rows" };
    expect(sent()).toEqual([["send", "@df", block]]);
    expect(chips()).toEqual([]);
    expect(model.draftAttachments).toEqual([]);
  });

  test("is not sent by an old text while the kernel makes another", async () => {
    await share();
    let answer = (): void => undefined;
    notebook.free = new Promise((resolve) => {
      answer = resolve;
    });
    choose("salary");
    press("Enter");
    await settle();
    expect(sent()).toEqual([]);
    expect(hint()).toContain("Sends as soon as");
    expect(model.draftAttachments).toEqual([]);
    answer();
    await settle();

    expect(sent()).toMatchObject([["send", "@df", { text: "df: city; 5 rows" }]]);
  });

  test("that the kernel does not tell holds the message back, and can be asked again", async () => {
    await share();
    notebook.isGone = true;
    choose("salary");
    await settle();
    expect(states()).toEqual(["failed"]);
    press("Enter");
    expect(sent()).toEqual([]);
    expect(hint()).toContain("try again, or remove it");
    notebook.isGone = false;
    label("Try again: df").click();
    await settle();
    press("Enter");

    expect(sent()).toMatchObject([["send", "@df", { text: "df: city; 5 rows" }]]);
  });

  test("and taken away again takes its @ with it", async () => {
    await share();
    label("Remove: df").click();
    expect([field().value, chips()]).toEqual(["df ", []]);
    press("Enter");

    expect(sent()).toEqual([["send", "df"]]);
  });

  test("says how many columns are left of those that it has", async () => {
    await share();
    const notes = () => texts(".streamchat-chips .streamchat-chip-note");
    expect(notes()).toEqual(["3 × 3 · 2 columns shared"]);
    choose("salary");
    await settle();
    expect(notes()).toEqual(["3 × 3 · 1 column shared"]);
    choose("salary");
    choose("api_key");
    await settle();

    expect(notes()).toEqual(["DataFrame 3 × 3"]);
  });

  test("goes with its name, even previewed and chosen from; files stay", async () => {
    const file = { type: "document", artifact: "f1", media_type: "text/plain" };
    model.uploads.set("a.txt", Promise.resolve({ block: file } as Uploaded));
    await share();
    choose("salary");
    attach(new File(["a"], "a.txt"));
    await settle();
    expect(chips()).toEqual(["df", "a.txt"]);
    type("");
    expect([chips(), findAll(".streamchat-preview")]).toEqual([["a.txt"], []]);
    expect(model.draftAttachments).toEqual([file]);
    type("Hello");
    press("Enter");

    expect(sent()).toEqual([["send", "Hello", file]]);
  });

  test("is not sent when its name left the field unnoticed", async () => {
    await share();
    field().value = "Hello";
    press("Enter");

    expect(sent()).toEqual([["send", "Hello"]]);
  });

  test("that failed holds back no message that names it no more", async () => {
    notebook.isGone = true;
    open();
    type("see @df now");
    await settle();
    expect(states()).toEqual(["failed"]);
    type("Hello");
    press("Enter");

    expect(sent()).toEqual([["send", "Hello"]]);
  });

  test("and taken away while the message waits for it lets the rest be sent", async () => {
    notebook.free = new Promise(() => undefined);
    open();
    type("see @df now");
    press("Enter");
    label("Remove: df").click();
    await settle();

    expect(sent()).toEqual([["send", "see df now"]]);
  });

  test("is not restored without its name", async () => {
    model.keepDraft("Hello");
    model.keepDraftAttachments([{ type: "data", name: "df", text: "df: 1 row" }]);
    open();

    expect([field().value, chips()]).toEqual(["Hello", []]);
  });

  test("is kept over a reload as it was previewed", async () => {
    await share();
    choose("salary");
    await settle();
    lifetime.abort();
    lifetime = new AbortController();
    document.body.replaceChildren();
    const asked = notebook.asked.length;
    open();
    await settle();

    expect([field().value, chips(), states()]).toEqual(["@df ", ["df"], ["ready"]]);
    expect(notebook.asked).toHaveLength(asked);
    find<HTMLElement>(".streamchat-chips .streamchat-chip-label").click();
    expect(digest()).toBe("df: city; 5 rows");
  });
});

describe("names that were typed by hand", () => {
  test("are looked up before they are sent; unknown ones stay words", async () => {
    open();
    type("Compare @df with @nobody");
    press("Escape");
    press("Enter");
    await settle();

    const block = { type: "data", name: "df", text: "df: city,salary; 5 rows" };
    expect(sent()).toEqual([["send", "Compare @df with @nobody", block]]);
  });

  test("are not looked up before the caret has left them", async () => {
    open();
    for (const [text, caret] of [
      ["@mean", 1],
      ["@dmean", 2],
      ["@dfmean", 3],
    ] as const)
      type(text, caret);
    await settle();
    press("Escape");
    expect([notebook.asked, chips()]).toEqual([[], []]);
    type("@df mean", 3);
    await settle();
    expect(notebook.asked).toEqual([]);
    field().setSelectionRange(4, 4);
    field().dispatchEvent(new KeyboardEvent("keyup", { key: "ArrowRight" }));
    await settle();

    expect([notebook.asked.length, chips()]).toEqual([1, ["df"]]);
  });

  test("are not sent when somebody has second thoughts meanwhile", async () => {
    notebook.free = new Promise(() => undefined);
    open();
    type("Look at @df now");
    press("Enter");
    expect(find(".streamchat-send").getAttribute("aria-busy")).toBe("true");
    press("Escape");
    await settle();

    expect(find(".streamchat-send").getAttribute("aria-busy")).toBe("false");
    expect([sent(), field().value]).toEqual([[], "Look at @df now"]);
  });
});

describe("files", () => {
  const table = new File(["a,b\n"], "table.csv", { type: "text/csv" });
  const block = {
    ...{
      type: "document",
      artifact: "f1",
      media_type: "text/plain",
      title: "table.csv",
    },
  };

  test("are uploaded, and the message waits for them", async () => {
    let upload = (_: Uploaded): void => undefined;
    model.uploads.set(
      "table.csv",
      new Promise((resolve) => {
        upload = resolve;
      }),
    );
    open();
    attach(table);
    await settle();
    expect([chips(), states()]).toEqual([["table.csv"], ["pending"]]);
    press("Enter");
    expect(sent()).toEqual([]);
    upload({ block } as Uploaded);
    await settle();

    expect(sent()).toEqual([["send", "", block]]);
  });

  test("that fail stay, with what was written, and can be sent again", async () => {
    const problem = { code: "unavailable", message: "No room.", retryable: true };
    model.uploads.set("table.csv", Promise.resolve({ problem }));
    open();
    type("Read this");
    attach(table);
    await settle();
    expect(states()).toEqual(["failed"]);
    expect(texts(".streamchat-chip .streamchat-chip-note")).toEqual(["No room."]);
    press("Enter");
    expect([sent(), field().value]).toEqual([[], "Read this"]);
    model.uploads.set("table.csv", Promise.resolve({ block } as Uploaded));
    label("Try again: table.csv").click();
    await settle();
    press("Enter");

    expect(sent()).toEqual([["send", "Read this", block]]);
  });

  test("that cannot be attached are named at once, and the others are", async () => {
    model.uploads.set("table.csv", Promise.resolve({ block } as Uploaded));
    model.artifactBytesLimit = 1_000;
    open();
    attach(
      new File([new Uint8Array([80, 75, 0, 255])], "a.zip"),
      new File(["x".repeat(1_200)], "long.txt"),
      new File([], "none.txt"),
      table,
    );
    await settle();

    expect(find('[role="alert"].streamchat-hint').textContent).toBe(
      "a.zip cannot be attached: only PNG, JPEG, GIF and WebP images, PDF and text " +
        "files can. long.txt has 1 kB; at most 1 kB can be attached. none.txt is empty.",
    );
    expect([chips(), states()]).toEqual([["table.csv"], ["ready"]]);
  });

  test("are pasted, but not cells of a spreadsheet", async () => {
    model.uploads.set("table.csv", Promise.resolve({ block } as Uploaded));
    open();
    const paste = (types: string[]): Event => {
      const event = new Event("paste", { bubbles: true, cancelable: true });
      Object.assign(event, { clipboardData: { files: [table], types } });
      field().dispatchEvent(event);
      return event;
    };
    expect(paste(["text/plain", "text/html", "Files"]).defaultPrevented).toBe(false);
    expect(paste(["Files"]).defaultPrevented).toBe(true);
    await settle();

    expect(chips()).toEqual(["table.csv"]);
  });

  test("are dropped where the chat says so", async () => {
    model.uploads.set("table.csv", Promise.resolve({ block } as Uploaded));
    open();
    const drag = (name: string, types: string[]): Event => {
      const event = new Event(name, { bubbles: true, cancelable: true });
      Object.assign(event, { dataTransfer: { files: [table], types } });
      view.element.dispatchEvent(event);
      return event;
    };
    expect(drag("dragenter", ["text/plain"]).defaultPrevented).toBe(false);
    expect(texts(".streamchat-drop")).toEqual([]);
    drag("dragenter", ["Files"]);
    expect(texts(".streamchat-drop")).toEqual(["Drop files to attach them"]);
    drag("dragleave", ["Files"]);
    expect(texts(".streamchat-drop")).toEqual([]);
    drag("drop", ["Files"]);
    await settle();

    expect(chips()).toEqual(["table.csv"]);
  });
});

describe("what was attached to a message", () => {
  const data = { type: "data", name: "df", text: "df: 2 rows\u202e" };
  const image = {
    type: "image",
    artifact: "i1",
    media_type: "image/png",
    alt: "p.png",
  };
  const file = {
    ...{
      type: "document",
      artifact: "f1",
      media_type: "application/pdf",
      title: "r.pdf",
    },
  };
  const question = {
    ...asks("u1", "What is this?"),
    content: [{ type: "text", text: "What is this?" }, data, image, file],
  };

  test("is shown: data to open, pictures, and files to keep", async () => {
    model.files.set("i1", new Blob(["picture"]));
    model.files.set("f1", new Blob(["pdf"]));
    model.play(question, turnStarts("t1", "u1"));
    open();
    await settle();
    expect(texts(".streamchat-user-bubble")).toEqual(["What is this?"]);
    const shared = find<HTMLDetailsElement>(".streamchat-shared");
    shared.open = true;
    shared.dispatchEvent(new Event("toggle"));
    expect(shared.querySelector("pre")?.textContent).toBe(
      "df: 2 rows[1 hidden character]",
    );
    expect(find<HTMLImageElement>(".streamchat-thumbnail img").src).toBe("blob:x");
    const saved: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
      this: HTMLAnchorElement,
    ) {
      saved.push(this.download);
    });
    find<HTMLElement>("button.streamchat-chip").click();
    await settle();

    expect(saved).toEqual(["r.pdf"]);
    vi.restoreAllMocks();
  });

  test("waits in the queue by name, and stays when the text is changed", async () => {
    model.play(
      asks("u0", "One?"),
      turnStarts("t0", "u0"),
      { ...question, turn: "t1" },
      { type: "turn.queued", turn: "t1", message: "u1" },
    );
    open();
    await settle();

    expect(texts(".streamchat-queued-attached")).toEqual(["@df, p.png, r.pdf"]);
  });
});
