"""A model request as the Messages API takes it, and what an endpoint refused of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from streamchat_nb.agent.media import without_media

if TYPE_CHECKING:
    from streamchat_nb.agent.endpoint import EndpointProfile
    from streamchat_nb.agent.model import ModelRequest
    from streamchat_nb.errors import ModelError

__all__ = ["parameters_of", "refused_option"]

_LEAST_THINKING_TOKENS = 1_024
_MOST_USES = 5
# By option: what the endpoint's words of refusal have in them. The first one counts.
_REFUSALS = {
    "cache_control": re.compile(r"\bcache_control\b"),
    "tool_choice": re.compile(r"\btool_choice\b"),
    "output_format": re.compile(
        r"\boutput_config\.format\b|\bjson_schema\b|\bformat\b"
    ),
    "effort": re.compile(r"\beffort\b"),
    "adaptive_thinking": re.compile(r"\badaptive\b"),
    "thinking": re.compile(r"\bthinking\b"),
    "output_config": re.compile(r"\boutput_config\b"),
}
_SERVER_TOOLS = {
    "web_search": {
        "type": "web_search_20250305",
        "name": "web_search",
        "max_uses": _MOST_USES,
    },
    "web_fetch": {
        "type": "web_fetch_20250910",
        "name": "web_fetch",
        "max_uses": _MOST_USES,
    },
    "code_execution": {"type": "code_execution_20250825", "name": "code_execution"},
}


def parameters_of(
    request: ModelRequest,
    *,
    model: str,
    profile: EndpointProfile,
    refused: set[str],
) -> dict[str, Any]:
    """Return the body of a request; sampling is never set.

    Args:
        request: The request.
        model: The model's id.
        profile: What the endpoint understands.
        refused: Options that it refused, by the names of ``refused_option``.
    """
    seen = request.messages if profile.images else without_media(request.messages)
    parameters: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "messages": seen,
        "stream": True,
    }
    if request.system:
        parameters["system"] = request.system
    tools = _tools(request, profile)
    without_tools = request.tool_choice == "none"
    if tools and not (without_tools and "tool_choice" in refused):
        parameters["tools"] = tools
        if without_tools:
            parameters["tool_choice"] = {"type": "none"}
    if profile.caching and "cache_control" not in refused:
        parameters["cache_control"] = {"type": "ephemeral"}
    thinking = None if "thinking" in refused else _thinking(request, refused)
    if thinking is not None:
        parameters["thinking"] = thinking
    output_config = _output_config(request, profile, refused)
    if output_config:
        parameters["output_config"] = output_config
    return parameters


def refused_option(error: ModelError, parameters: dict[str, Any]) -> str | None:
    """Return the option that an endpoint blames for its refusal, if it is one."""
    if error.code != "model_request_invalid":
        return None
    output_config = parameters.get("output_config", {})
    thinking = parameters.get("thinking", {})
    sent = {
        "output_format": "format" in output_config,
        "effort": "effort" in output_config,
        "adaptive_thinking": thinking.get("type") == "adaptive",
    }
    for option, words in _REFUSALS.items():
        if sent.get(option, option in parameters) and words.search(error.message):
            return option
    return None


def _tools(request: ModelRequest, profile: EndpointProfile) -> list[dict[str, Any]]:
    if not profile.server_tools:
        return request.tools
    own = [
        _SERVER_TOOLS[tool] if isinstance(tool, str) else tool
        for tool in request.server_tools
    ]
    return [*request.tools, *own]


def _thinking(request: ModelRequest, refused: set[str]) -> dict[str, Any] | None:
    if request.thinking is None:
        return None
    if not request.thinking:
        return {"type": "disabled"}
    if "adaptive_thinking" not in refused:
        return {"type": "adaptive", "display": "summarized"}
    tokens = max(_LEAST_THINKING_TOKENS, request.max_tokens // 2)
    if tokens >= request.max_tokens:  # there is no room for thoughts
        return {"type": "disabled"}
    return {"type": "enabled", "budget_tokens": tokens}


def _output_config(
    request: ModelRequest, profile: EndpointProfile, refused: set[str]
) -> dict[str, Any]:
    if "output_config" in refused:
        return {}
    config: dict[str, Any] = {}
    if request.effort is not None and "effort" not in refused:
        config["effort"] = request.effort
    is_held = profile.output_format and "output_format" not in refused
    if request.output_schema is not None and is_held:
        schema = _held_schema(request.output_schema, profile)
        if schema is not None:
            config["format"] = {"type": "json_schema", "schema": schema}
    return config


def _held_schema(
    schema: dict[str, Any], profile: EndpointProfile
) -> dict[str, Any] | None:
    """Return a schema as the endpoint takes it; ``None`` where it does not."""
    if profile.any_schema:
        return schema
    import anthropic  # seconds, but for the connection, which has done so

    try:
        return anthropic.transform_schema(schema)
    except ValueError:  # the answer is asked for in words, and checked
        return None
