"""Questions end with a question mark, which IPython takes as a wish for help."""

from __future__ import annotations

import re
import tokenize
from typing import Any

from IPython.core.inputtransformer2 import EscapedCommand
from typing_extensions import override

__all__ = ["QuestionLine"]

_QUESTION = re.compile(r"%chat\s+[^\s?]")


class QuestionLine(EscapedCommand):
    """A line ``%chat Who is Ada?``; ``%chat?`` stays the wish for help that it is."""

    priority = 1  # before IPython looks for question marks

    @classmethod
    @override
    def find(cls, tokens_by_line: list[list[tokenize.TokenInfo]]) -> Any:
        for tokens in tokens_by_line:
            words = [t for t in tokens if t.type not in _INDENTATION]
            if not words or words[0].string != "%":
                continue
            _, column = words[0].start
            if _QUESTION.match(words[0].line[column:]):
                return cls(words[0].start)
        return None


_INDENTATION = (tokenize.INDENT, tokenize.DEDENT)
