from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest

from streamchat_nb.transcript.notebook import to_notebook
from tests.unit.transcript.samples import (
    LOGS,
    png,
    recorded,
    said,
    story_of_everything,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_recorded_conversation_is_a_valid_notebook(log: Path) -> None:
    notebook = to_notebook(recorded(log), thinking=True)
    nbformat.validate(json.loads(json.dumps(notebook)))
    assert notebook == to_notebook(recorded(log), thinking=True)


def test_python_of_answers_becomes_cells_that_have_not_run() -> None:
    notebook = to_notebook(story_of_everything())
    nbformat.validate(notebook)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [(cell["source"], cell["outputs"]) for cell in code] == [
        ("sales.plot()", [])
    ]
    words = "\n\n".join(
        cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"
    )
    assert words.startswith("# Sales in spring\n\n## Ada")
    assert "```python\nwhile True:\n```" in words
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


def test_pictures_are_attachments_of_their_cell() -> None:
    notebook = to_notebook(story_of_everything())
    cell = next(cell for cell in notebook["cells"] if "attachments" in cell)
    assert cell["attachments"] == {"picture-1.png": {"image/png": png(240, 120)}}
    assert "![Sales by month](attachment:picture-1.png)" in cell["source"]


def test_code_with_hidden_characters_is_not_made_to_run() -> None:
    notebook = to_notebook(said("```python\nx = 1 # \u202e\n```\n\n```sh\nls\n```"))
    assert all(cell["cell_type"] == "markdown" for cell in notebook["cells"])
    assert any("[1 hidden character]" in cell["source"] for cell in notebook["cells"])


def test_metadata_tell_what_it_was_and_nothing_else() -> None:
    state = said("Hi")
    state.settings = {"token": "secret-canary"}
    notebook = to_notebook(state)
    assert notebook["metadata"]["streamchat"] == {
        "conversation": "c-1",
        "format": 1,
        "seq": state.seq,
    }
    assert "secret-canary" not in json.dumps(notebook)
