"""Answers that are one JSON object of a wanted shape. Pure.

An endpoint that can be held to a schema is; what comes is checked all the same, and an
answer of another shape is sent back with what is wrong with it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.errors import StreamchatError
from streamchat_nb.protocol.content import TextBlock, ToolUseBlock
from streamchat_nb.tools.validation import faults_of

if TYPE_CHECKING:
    from streamchat_nb.protocol.content import AssistantBlock

__all__ = ["StructuredAnswer"]

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(?P<body>.*?)\n?\s*```\s*", re.DOTALL)
_MOST_CORRECTIONS = 2


class StructuredAnswer:
    """Asks for an object, and checks what comes.

    Args:
        schema: JSON Schema of the object.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._corrections = 0

    @property
    def instruction(self) -> str:
        """What the model is told beside its other instructions."""
        return (
            "Your final answer is read by a program: it must be one JSON object that "
            "is valid under this JSON Schema, and nothing else: no prose around it, no "
            f"code fence.\n{json.dumps(self.schema)}"
        )

    def read(
        self, content: list[AssistantBlock]
    ) -> tuple[list[AssistantBlock] | None, str]:
        """Return the blocks of an answer, its text as plain JSON.

        Args:
            content: The blocks of a last message.

        Returns:
            The blocks and no word; or ``None`` and what is wrong, in words for the
            model.
        """
        text = "".join(b.text for b in content if isinstance(b, TextBlock)).strip()
        fenced = _FENCED.fullmatch(text)
        if fenced is not None:
            text = fenced["body"]
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None, "it is not one JSON object"
        if not isinstance(value, dict):
            return None, "it is JSON, and no object"
        faults = faults_of(cast("dict[str, Any]", value), self.schema)
        if faults:
            return None, "; ".join(faults)
        others = [b for b in content if not isinstance(b, TextBlock | ToolUseBlock)]
        return [*others, TextBlock(text=text)], ""

    def correction(self, fault: str) -> str:
        """Return what the model is told of an answer of another shape.

        Raises:
            StreamchatError: ``output_invalid``, it was told often enough.
        """
        self._corrections += 1
        if self._corrections > _MOST_CORRECTIONS:
            raise StreamchatError(
                "The model did not give an answer of the wanted shape, also when it "
                f"was told so: {fault[:300]}. Ask for less at once, describe the "
                "fields, or choose a larger model.",
                code="output_invalid",
                retryable=True,
            )
        return (
            "[From the program that reads your answer, not from the user: it cannot be "
            f"used: {fault}. Give the whole JSON object again, and nothing else.]"
        )
