"""TeX in answers: found as in the chat, and let through only where it is harmless.

A page that reads a transcript may typeset what is between dollars, and a PDF is made
by TeX itself, whose commands can read files. So only formulas of well-known commands
stay formulas; all others are shown as they were written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streamchat_nb.transcript.hidden import show_hidden

if TYPE_CHECKING:
    from markdown_it.rules_inline import StateInline

__all__ = ["is_harmless", "read_formula"]

_MOST_CHARACTERS = 2_000
_CLOSERS = {"$$": "$$", "$": "$", r"\(": r"\)", r"\[": r"\]"}
_OPENER = re.compile(r"\$\$?|\\[(\[]")
_COMMAND = re.compile(r"\\([A-Za-z]+|.|\Z)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{([^{}]*)\}")
_ENVIRONMENTS = re.compile(
    r"(?:align(?:ed)?|array|[bpv]?matrix|cases|equation|gather(?:ed)?|smallmatrix|split)"
    r"\*?"
)
_COMMANDS = frozenset(
    re.findall(
        r"\w+",
        """
        alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa
        lambda mu nu xi omicron pi varpi rho varrho sigma varsigma tau upsilon phi
        varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi
        Omega aleph hbar ell Re Im partial nabla infty emptyset varnothing forall
        exists nexists neg lnot land lor wedge vee cap cup setminus subset subseteq
        supset supseteq in notin ni mid nmid parallel perp angle triangle cdot cdots
        ldots dots vdots ddots times div pm mp ast star circ bullet oplus ominus
        otimes oslash odot le leq ge geq ne neq ll gg sim simeq approx equiv cong
        propto prec succ to gets mapsto rightarrow leftarrow Rightarrow Leftarrow
        leftrightarrow Leftrightarrow longrightarrow longleftarrow Longrightarrow
        implies iff uparrow downarrow hookrightarrow therefore because top bot models
        vdash frac dfrac tfrac cfrac binom dbinom tbinom sqrt sum prod coprod int iint
        iiint oint bigcup bigcap bigoplus bigotimes lim limsup liminf sup inf max min
        arg det dim ker hom deg gcd Pr exp log ln lg sin cos tan cot sec csc arcsin
        arccos arctan sinh cosh tanh mod bmod pmod operatorname left right middle big
        Big bigg Bigg bigl bigr Bigl Bigr biggl biggr langle rangle lfloor rfloor
        lceil rceil lvert rvert lVert rVert vert Vert backslash hat widehat tilde
        widetilde bar overline underline vec dot ddot overbrace underbrace overset
        underset stackrel boxed prime limits nolimits displaystyle textstyle mathrm
        mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr boldsymbol text
        textbf textit quad qquad hline
        """,
    )
)
# Characters by number, blank lines, comments, and what could be markup.
_SUSPECT = re.compile(r"\^\^|\n\s*\n|(?<!\\)[$%#]|[`]|//|(?<! )[<>]|[<>](?! )")
_SYMBOLS = frozenset(" ,;:!{}|\\%&#_$")


def read_formula(state: StateInline, silent: bool) -> bool:
    """Read a formula, as a rule of the markdown parser; its token is ``math``."""
    source, start = state.src, state.pos
    found = _OPENER.match(source, start)
    if found is None:
        return False
    opener = found[0]
    closer = _CLOSERS[opener]
    inside_from = start + len(opener)
    end = source.find(closer, inside_from, inside_from + _MOST_CHARACTERS)
    inside = source[inside_from:end]
    if end < 0 or not re.search(r"[A-Za-z0-9]", inside):
        return False
    if opener == "$" and not _is_between_dollars(inside, source[end + 1 : end + 2]):
        return False
    if not silent:
        token = state.push("math", "", 0)
        token.content = inside
        token.markup = "$$" if opener in {"$$", r"\["} else "$"
    state.pos = end + len(closer)
    return True


def is_harmless(formula: str) -> bool:
    """Say whether a formula consists of well-known commands alone."""
    if _SUSPECT.search(formula) or formula.count("{") != formula.count("}"):
        return False
    if show_hidden(formula) != formula:
        return False
    rest = _ENVIRONMENT.sub(
        lambda found: " " if _ENVIRONMENTS.fullmatch(found[1]) else r"\begin", formula
    )
    return all(
        found[1] in _SYMBOLS or found[1] in _COMMANDS
        for found in _COMMAND.finditer(rest)
    )


def _is_between_dollars(inside: str, after: str) -> bool:
    """Say whether one dollar on each side means a formula, not an amount."""
    return (
        inside[0] not in " \t\n" and inside[-1] not in " \t\n" and not after.isdigit()
    )
