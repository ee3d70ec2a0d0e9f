"""``%%chat`` in JupyterLab: the answer in the output of its cell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

from tests.browser.screen import ANSWER_TIMEOUT_MS, command, open_lab, shoot

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

CELLS = (
    "%load_ext streamchat_nb\nsales = {'2023': [3, 1, 4], '2024': [1, 5, 9]}",
    "%%chat --into answer\nWho is Ada?",
    "%chat What is in @sales?",
    '%chat call run_python {"code": "mark = sum(sales[\'2024\'])"}',
    "mark",
)


def test_answer_streams_into_its_cell_and_approval_is_given_below_it(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 1000, "height": 1000})
    content: dict[str, Any] = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(CELLS)
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab_server.work / "cells.ipynb").write_text(json.dumps(content))
    open_lab(page, lab_server, "cells.ipynb")
    command(page, "notebook:run-all-cells")
    cells = page.locator(".jp-Notebook .jp-Cell")
    answer = cells.nth(1).locator(".jp-OutputArea")
    using = answer.get_by_text("Using search_contacts").first
    expect(using).to_be_visible(timeout=60_000)
    expect(answer.get_by_text("Suggested next:")).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    assert answer.inner_text().count("Wrote the first published program") == 1
    shared = cells.nth(2).locator(".jp-OutputArea")
    expect(shared.get_by_text("Shared @sales")).to_be_visible(timeout=60_000)
    # The cell waits, and the chat that appears below it takes the answer.
    waiting = cells.nth(3)
    expect(waiting.get_by_text("this cell waits")).to_be_visible(timeout=60_000)
    waiting.scroll_into_view_if_needed()
    waiting.locator(".streamchat").get_by_role("button", name="Allow").first.click(
        timeout=60_000
    )
    expect(cells.nth(4).locator(".jp-OutputArea", has_text="15")).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    expect(waiting.get_by_text("this cell waits")).not_to_be_visible()
    cells.nth(1).scroll_into_view_if_needed()
    shoot(page, "chat-in-a-cell")
    heights = answer.locator(".jp-OutputArea-child").evaluate_all(
        "children => children.map(child => child.getBoundingClientRect().height)"
    )
    assert len(heights) == 2
    assert heights[0] < 12, "what was shown meanwhile leaves a gap"
