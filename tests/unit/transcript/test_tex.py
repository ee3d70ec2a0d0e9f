from __future__ import annotations

import pytest

from streamchat_nb.transcript.html_text import write_html
from streamchat_nb.transcript.markdown_text import write_markdown
from streamchat_nb.transcript.markdown_tree import parse_markdown
from streamchat_nb.transcript.tex import is_harmless


@pytest.mark.parametrize(
    "formula",
    [
        "x^2 + y_1",
        r"\frac{a}{b} < \sqrt{2}",
        r"\begin{pmatrix}a & b \\ c & d\end{pmatrix}",
        r"50\% \text{ of } \$5",
    ],
)
def test_formula_of_well_known_commands_is_harmless(formula: str) -> None:
    assert is_harmless(formula)


@pytest.mark.parametrize(
    "formula",
    [
        r"\input{/etc/passwd}",
        r"\text{\input x}",
        r"^^5cinput x",
        r"\csname input\endcsname x",
        r"\href{javascript:alert(1)}{x}",
        r"\begin{filecontents}x\end{filecontents}",
        "a % b",
        "a\n\nb",
        "{a",
        "a\u202eb",
        "a<b",
        "`a`",
        "\\",
    ],
)
def test_formula_that_could_do_more_is_not(formula: str) -> None:
    assert not is_harmless(formula)
    for source in (f"${formula}$", f"$${formula}$$", f"\\({formula}\\)"):
        nodes = parse_markdown(f"x {source} y")
        html = write_html(nodes, below=0).replace("<span>$</span>", "")
        for code in html.split("<code")[1:]:
            html = html.replace(code.split("</code>")[0], "")
        assert "$" not in html


def test_brackets_and_dollars_mean_formulas_and_amounts_do_not() -> None:
    nodes = parse_markdown(r"\(x\) and \[y\] and $z$ for $5 or $10, $ 2 $, $.$")
    written = write_markdown(nodes, below=0)
    assert written == r"$x$ and $$y$$ and $z$ for \$5 or \$10, \$ 2 \$, \$.\$"
