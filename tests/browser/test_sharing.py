"""Sharing variables and attaching files, in JupyterLab and on the page."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    command,
    composer,
    conversation_of,
    events_of,
    open_lab,
    open_page,
    shoot,
)
from tests.browser.test_lab import (
    CHANGE_THEME,
    chat_in,
    connected,
    write_notebook,
)

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

# Values of a denied column and of one that looks like a secret, in no other place.
SALARIES = [98_761, 87_652, 76_543]
KEY = "canary-key-5512"
NOTEBOOK = f"""\
import pandas
df = pandas.DataFrame({{
    "city": ["Rome", "Oslo", "Lima"],
    "people": [2.8, 0.7, 10.1],
    "salary": {SALARIES},
    "api_key": ["{KEY}"] * 3,
}})
measurements = list(range(1_000))
from streamchat_nb import Chat
chat = Chat(height="620px")
chat"""
PASTE = """async (field, [data, name, type]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type}));
  const init = {clipboardData: transfer, bubbles: true, cancelable: true};
  field.dispatchEvent(new ClipboardEvent("paste", init));
}"""
DRAG = """(chat, [type, text, name]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], name, {type: "text/csv"}));
  const init = {dataTransfer: transfer, bubbles: true, cancelable: true};
  chat.dispatchEvent(new DragEvent(type, init));
}"""
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
CSV = "city,people\nRome,2.8\nOslo,0.7\n"


def png(width: int = 240, height: int = 150) -> bytes:
    """A picture in which colours run into each other."""
    rows = b"".join(
        b"\0" + b"".join(bytes((60 + x // 2, 90 + y, 200)) for x in range(width))
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + checksum

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    header = chunk(b"IHDR", size + bytes((8, 2, 0, 0, 0)))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def open_chat(page: Page, server: ServerProcess, name: str) -> Locator:
    """A chat in a notebook with some data."""
    open_lab(page, server, write_notebook(server, NOTEBOOK, name=name))
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    connected(chat)
    return chat


def chips(chat: Page | Locator) -> Locator:
    """What is to be attached."""
    return chat.locator(".streamchat-tray .streamchat-chip")


def questions(server: ServerProcess, conversation: str) -> list[Any]:
    """The contents of what people sent, as the log has them."""
    return [
        event["content"]
        for event in events_of(server, conversation)
        if event["type"] == "message.created" and event["role"] == "user"
    ]


def sent(chat: Page | Locator, count: int = 1) -> None:
    """Wait until the log has what was sent, and it was answered."""
    asked = chat.locator('.streamchat-user[data-state="sent"]')
    expect(asked).to_have_count(count, timeout=ANSWER_TIMEOUT_MS)
    expect(chat.get_by_role("button", name="Stop")).to_be_hidden(
        timeout=ANSWER_TIMEOUT_MS
    )


def test_variable_is_shared_as_previewed_and_denied_columns_leave_nothing(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 1000, "height": 700})
    chat = open_chat(page, lab_server, "sharing.ipynb")
    field = chat.locator(".streamchat-field")
    field.press_sequentially("What is in @d")
    options = chat.get_by_role("option")
    expect(options.first).to_contain_text("df")
    expect(options.first).to_contain_text("DataFrame 3 \u00d7 4")
    expect(field).to_have_attribute("aria-haspopup", "listbox")
    shoot(page, "share-completion")
    field.press("Enter")
    expect(field).to_have_value("What is in @df ")
    expect(chips(chat)).to_have_count(1)
    expect(chips(chat)).to_have_attribute("data-state", "ready")

    previewed = choose_columns(chat)
    chat.locator(".streamchat-preview").scroll_into_view_if_needed()
    shoot(page, "share-preview")
    field.focus()
    field.press("Enter")

    sent(chat)
    conversation = chat_id(page)
    ((text, data),) = questions(lab_server, conversation)
    assert text == {"type": "text", "text": "What is in @df"}
    assert data == {"type": "data", "name": "df", "text": previewed}
    log = json.dumps(events_of(lab_server, conversation))
    assert not [value for value in [*SALARIES, KEY, "salary"] if str(value) in log]
    shared = chat.locator(".streamchat-user .streamchat-shared")
    shared.locator("summary").click()
    assert shared.locator("pre").evaluate("(one) => one.textContent") == previewed
    shared.scroll_into_view_if_needed()
    shoot(page, "share-sent")


def choose_columns(chat: Locator) -> str:
    """Deny a column in the preview; returns the text that it shows then."""
    chips(chat).get_by_role("button", name="df").first.click()
    preview = chat.locator(".streamchat-preview")
    expect(preview.get_by_label("salary")).to_be_checked()
    expect(preview.get_by_label("api_key")).not_to_be_checked()
    expect(preview).to_contain_text("looks like a secret")
    preview.get_by_label("salary").uncheck()
    digest = preview.locator("pre")
    expect(digest).not_to_contain_text("salary")
    preview.get_by_label("0", exact=True).check()
    expect(digest).not_to_contain_text("Rome")
    preview.get_by_label("5", exact=True).check()
    expect(digest).to_contain_text("Rome")
    expect(chips(chat)).to_have_attribute("data-state", "ready")
    return digest.evaluate("(element) => element.textContent")


def chat_id(page: Page) -> str:
    """The conversation of the notebook's chat, which Python knows."""
    page.evaluate(
        """() => {
          const kernel = window.jupyterapp.shell.currentWidget
            .sessionContext.session.kernel;
          const future = kernel.requestExecute({code: "print(chat.conversation)"});
          window.streamchatPrinted = "";
          future.onIOPub = (message) => {
            if (message.header.msg_type === "stream") {
              window.streamchatPrinted += message.content.text;
            }
          };
        }"""
    )
    page.wait_for_function(
        "() => window.streamchatPrinted.endsWith('\\n')", timeout=ANSWER_TIMEOUT_MS
    )
    return page.evaluate("() => window.streamchatPrinted.trim()")


def test_names_typed_by_hand_are_resolved_and_others_stay_words(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 620, "height": 860})
    chat = open_chat(page, lab_server, "typed.ipynb")
    page.evaluate(CHANGE_THEME, "JupyterLab Dark")
    field = chat.locator(".streamchat-field")
    field.fill("Compare @measurements with what @nobody wrote to a@df")
    field.press("Enter")

    sent(chat)
    ((text, data),) = questions(lab_server, chat_id(page))
    assert text["text"] == "Compare @measurements with what @nobody wrote to a@df"
    assert (data["type"], data["name"]) == ("data", "measurements")
    # A chip that is taken away takes its mention with it.
    field.fill("Again @df and")
    expect(chips(chat)).to_have_attribute("data-state", "ready")
    chips(chat).get_by_role("button", name="df").first.click()
    shoot(page, "share-narrow-dark")
    chips(chat).get_by_role("button", name="Remove: df").click()
    expect(field).to_have_value("Again df and")
    page.evaluate(CHANGE_THEME, "JupyterLab Light")


def test_files_are_pasted_chosen_and_dropped_and_survive_a_reload(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 900, "height": 800})
    open_page(page, page_server)
    field = composer(page)
    attach_three(page, field)
    field.fill("What do these say?")
    shoot(page, "attach-chips")

    page.reload()
    ready = chips(page).and_(page.locator('[data-state="ready"]'))
    expect(ready).to_have_count(3)
    expect(field).to_have_value("What do these say?")
    # What cannot be attached is said at once, and nothing is lost.
    page.locator('input[type="file"]').set_input_files(
        [{"name": "a.zip", "mimeType": "application/zip", "buffer": b"PK\0\1\xff"}]
    )
    expect(page.get_by_role("alert")).to_contain_text("a.zip cannot be attached")
    expect(ready).to_have_count(3)
    field.press("Enter")

    sent(page)
    ((text, *files),) = questions(page_server, conversation_of(page))
    assert text == {"type": "text", "text": "What do these say?"}
    kinds = [(one["type"], one["media_type"].partition(";")[0]) for one in files]
    assert sorted(kinds) == [
        ("document", "application/pdf"),
        ("document", "text/plain"),
        ("image", "image/png"),
    ]
    look_at_files(page)
    page.reload()
    expect(page.locator(".streamchat-user .streamchat-chip")).to_have_count(2)
    expect(chips(page)).to_have_count(0)


def attach_three(page: Page, field: Locator) -> None:
    """Paste a picture, choose a PDF, drop a table."""
    picture = base64.b64encode(png()).decode()
    field.evaluate(PASTE, [picture, "colours.png", "image/png"])
    page.locator('input[type="file"]').set_input_files(
        [{"name": "report.pdf", "mimeType": "application/pdf", "buffer": PDF}]
    )
    chat = page.locator(".streamchat")
    chat.evaluate(DRAG, ["dragenter", CSV, "cities.csv"])
    expect(page.get_by_text("Drop files to attach them")).to_be_visible()
    shoot(page, "attach-drop")
    chat.evaluate(DRAG, ["drop", CSV, "cities.csv"])
    expect(page.get_by_text("Drop files to attach them")).to_be_hidden()
    expect(chips(page)).to_have_count(3)
    ready = chips(page).and_(page.locator('[data-state="ready"]'))
    expect(ready).to_have_count(3)


def look_at_files(page: Page) -> None:
    """Enlarge the picture that was sent, and download the table."""
    thumbnail = page.get_by_role("button", name=re.compile("Enlarge"))
    expect(thumbnail).to_be_visible()
    shown = "(image) => image.complete && image.naturalWidth"
    assert thumbnail.locator("img").evaluate(shown) == 240
    shoot(page, "attach-sent")
    thumbnail.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    shoot(page, "attach-enlarged")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="cities.csv").click()
    assert download.value.suggested_filename == "cities.csv"
    assert download.value.path().read_text() == CSV
