"""Hostile words, wherever words can stand: nothing runs, nothing is fetched."""

from __future__ import annotations

import json
import re
import shutil
from io import StringIO
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter, LatexExporter

from streamchat_nb.transcript.export import mimebundle
from streamchat_nb.transcript.html import to_html
from streamchat_nb.transcript.html_text import write_html
from streamchat_nb.transcript.markdown_text import write_markdown
from streamchat_nb.transcript.markdown_tree import parse_markdown
from streamchat_nb.transcript.notebook import to_notebook
from tests.unit.transcript.html_check import problems_of, requests_of
from tests.unit.transcript.samples import corpus, everywhere

ELSEWHERE_EVERY = 40
"""Each text is an answer; one in so many also stands wherever words can stand."""


def texts_of(name: str) -> list[str]:
    text = corpus(name)
    if name.endswith(".txt"):
        return [line for line in text.splitlines() if line.strip()]
    found = json.loads(text)
    return [
        one if isinstance(one, str) else one.get("md") or one["text"] for one in found
    ]


@pytest.fixture(scope="module")
def exporter() -> HTMLExporter:
    return HTMLExporter(template_name="basic")


def words_cell(source: str) -> dict[str, Any]:
    return {"id": "words", "cell_type": "markdown", "metadata": {}, "source": source}


def output_cell(data: dict[str, str]) -> dict[str, Any]:
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    return {
        "id": "code",
        "cell_type": "code",
        "metadata": {},
        "source": "chat",
        "execution_count": None,
        "outputs": [output],
    }


def convert(exporter: HTMLExporter | LatexExporter, *cells: dict[str, Any]) -> str:
    notebook: dict[str, Any] = {
        "cells": cells,
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return exporter.from_file(StringIO(json.dumps(notebook)))[0]


def own_requests(exporter: HTMLExporter) -> list[str]:
    """What the exporter itself asks for, whatever is in the notebook."""
    return requests_of(convert(exporter, words_cell("x")))


CORPORA = [
    "own/markdown_exfil.json",
    "own/unicode_smuggling.json",
    "own/ansi.json",
    "own/injection_carriers.json",
    "text/blns.json",
    "xss/awesomexss/lines.json",
    "xss/payloadsallthethings/xss.json",
    "xss/payloadbox/xss-payload-list.txt",
]


TEX = [
    r"\input{/etc/passwd}",
    r"$\input{/etc/passwd}$",
    r"$$x$$ \immediate\write18{id}",
    r"\begin{filecontents}{x}y\end{filecontents}",
    r"`\input{x}`{=latex}",
    "```{=latex}\n\\input{x}\n```",
    r"\\(\input{x}\\)",
    r"| \input{x} |",
    "# \\input{x}",
]


@pytest.mark.skipif(shutil.which("pandoc") is None, reason="needs pandoc")
def test_pdf_by_tex_has_no_command_of_a_text() -> None:
    verbatim = r"(?s)\\begin\{(verbatim|Verbatim|Highlighting)\}.*?\\end\{\1\}"
    for text in TEX:
        state = everywhere(text)
        markdown = mimebundle(state)["text/markdown"]
        cells = [output_cell({"text/markdown": markdown})]
        for shown in (cells, to_notebook(state)["cells"]):
            tex = convert(LatexExporter(), *shown)
            words = re.sub(verbatim, "", tex.split("\\begin{document}", 1)[1])
            found = re.search(r"\\(?:input|immediate|write|begin\{filecontents)", words)
            assert found is None, text


def test_checkers_see_what_they_are_there_to_see() -> None:
    hostile = (
        '<p onclick="x">a</p><script>x</script><img src="https://e.example/">'
        '<a href="javascript:x">x</a><a href="//e.example">x</a><b>'
        '<div style="background:url(x)"></div><!-- x -->'
    )
    problems = "\n".join(problems_of(hostile))
    for part in (
        "onclick",
        "script",
        "src",
        "javascript",
        "//e",
        "b",
        "url",
        "comment",
    ):
        assert part in problems
    requests = "\n".join(requests_of(hostile))
    for part in ("onclick", "script", "src", "javascript", "//e.example", "url"):
        assert part in requests


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_html_has_only_our_elements(name: str) -> None:
    texts = texts_of(name)
    assert len(texts) > 20
    for text in texts:
        html = write_html(parse_markdown(text), below=3)
        assert problems_of(html) == [], text
    for text in texts[::ELSEWHERE_EVERY]:
        assert problems_of(to_html(everywhere(text), thinking=True)) == [], text


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_markdown_means_nothing_more_when_read_again(name: str) -> None:
    for text in texts_of(name):
        nodes = parse_markdown(text)
        again = parse_markdown(write_markdown(nodes, below=3))
        html = write_html(again, below=0)
        assert problems_of(html) == [], text
        kinds = {node.type for one in nodes for node in one.walk()}
        kinds_again = {node.type for one in again for node in one.walk()}
        # A picture that may not be shown is a link, and code only its fence.
        assert kinds_again <= kinds | {"link", "text", "fence", "code_inline"}, text


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_another_program_shows_the_notebook_without_asking_for_anything(
    name: str, exporter: HTMLExporter
) -> None:
    texts = texts_of(name)[:: 4 if name.endswith(".txt") else 1]
    own = own_requests(exporter)
    batch = 100
    for start in range(0, len(texts), batch):
        cells = [
            {
                **words_cell(write_markdown(parse_markdown(text), below=2)),
                "id": f"c{at}",
            }
            for at, text in enumerate(texts[start : start + batch])
        ]
        assert requests_of(convert(exporter, *cells)) == own, start
    for text in texts[:: 2 * ELSEWHERE_EVERY]:
        state = everywhere(text)
        notebook = to_notebook(state)
        nbformat.validate(notebook)
        assert requests_of(convert(exporter, *notebook["cells"])) == own, text
        for mime, data in mimebundle(state).items():
            shown = convert(exporter, output_cell({mime: data}))
            assert requests_of(shown) == own, (mime, text)
