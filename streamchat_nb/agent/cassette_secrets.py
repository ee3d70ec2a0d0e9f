"""Taking secrets out of what is recorded. Pure but for one look at the environment."""

from __future__ import annotations

import base64
import os
import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["REMOVED", "Scrubber", "environment_secrets"]

REMOVED = "[removed]"
"""What stands where a secret stood."""

_LEAST_CHARACTERS = 8
_LONG_CHARACTERS = 12
_LEAST_QUOTED = 4
_LEAST_BARE = 6
_LEAST_WITHOUT_DIGIT = 20
_CACHED_TEXTS = 4_096
_CACHED_CHARACTERS = 32_768
_SECRET_VARIABLE = re.compile(
    r"(?i)(key|token|secret|password|passwd|passphrase|credentials?|pat)\Z"
)
_STRONG_NAME = (
    r"(?:api[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token"
    r"|session[_-]?token|bearer[_-]?token|secret(?:[_-]?access)?[_-]?key"
    r"|client[_-]?secret|private[_-]?key|secret|password|passwd|passphrase)"
)
_HEADER_NAME = r"(?:(?:proxy-)?authorization|x-api-key|(?:set-)?cookie)"
_STRONG_KEY = re.compile(rf"(?i)(?:.*[_-])?(?:{_STRONG_NAME}|{_HEADER_NAME})")
_WEAK_KEYS = frozenset({"auth", "credential", "credentials", "key", "pat", "token"})
# A quote, also one within JSON within JSON.
_QUOTE = r"""\\*["']"""
_BARE = r"""[^\s"'\\,;&<>(){}\[\]`]"""


class _Rule(NamedTuple):
    """A pattern; what its group ``keep`` matches stays.

    It is tried only on texts with one of the hints, in small letters. Patterns take
    what they began to match, so that no text makes them slow; what is no secret
    after all ``is_secret`` says afterwards.
    """

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    is_secret: Callable[[re.Match[str]], bool] = lambda _match: True


def _is_assigned_secret(match: re.Match[str]) -> bool:
    """Judge ``name = value`` by its name and its value."""
    name, quoted, bare = match["name"], match["quoted"], match["bare"]
    if name.lower() == "token" and not name.isupper():
        return _looks_secret(quoted or bare)
    if quoted is not None:
        return len(quoted) >= _LEAST_QUOTED
    is_call = match.string[match.end() : match.end() + 1] in ("(", "[")
    is_shell = name.isupper() and match["keep"].endswith(name + "=")
    is_likely = is_shell or any(character.isdigit() for character in bare)
    return is_likely and not is_call and len(bare) >= _LEAST_BARE


def _is_credential(match: re.Match[str]) -> bool:
    value = match["value"]
    return _looks_secret(value) or len(value) >= _LEAST_WITHOUT_DIGIT


_RULES = (
    _Rule(
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?"
            r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
    ),
    _Rule(("sk-",), re.compile(r"(?<![\w-])sk-[\w-]*+(?:(?<=[\w-]{12})|(?<=\d))")),
    _Rule(
        ("gh", "glpat-", "hf_", "xox", "npm_", "pypi-"),
        re.compile(
            r"(?<![\w-])(?:gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
            r"|hf_\w{16,}|xox[a-z]-[\w-]{8,}|npm_\w{16,}|pypi-[\w-]{16,})"
        ),
    ),
    _Rule(
        ("akia", "asia", "aiza"),
        re.compile(r"(?<![\w-])(?:(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35})(?![\w-])"),
    ),
    _Rule(("eyj",), re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{2,}+\.[\w-]*+")),
    _Rule(("://",), re.compile(r"(?P<keep>://)[^\s/?#@\"'<>]++(?=@)")),
    _Rule(
        ("?", "&", "#"),
        re.compile(
            rf"(?i)(?P<keep>[?&#](?:[\w-]{{0,40}}?(?:{_STRONG_NAME}|token|signature)"
            r"|key|auth|sig|code|x-amz-[\w-]{1,40})=)[^&#\s\"'<>]++"
        ),
    ),
    _Rule(
        ("cookie",),
        re.compile(
            rf"(?i)(?P<keep>\b(?:set-)?cookie(?:{_QUOTE})?\s*[:=]\s*(?:{_QUOTE})?)"
            r"[^\r\n\"'\\]++"
        ),
    ),
    _Rule(
        ("authorization", "api-key"),
        re.compile(
            rf"(?i)(?P<keep>\b(?:authorization|x-api-key)(?:{_QUOTE})?\s*[:=]\s*"
            rf"(?:{_QUOTE})?(?:(?:bearer|basic|token|digest|negotiate)\s++)?+){_BARE}++"
        ),
    ),
    _Rule(
        ("bearer", "basic"),
        re.compile(r"(?i)(?P<keep>\b(?:bearer|basic)\s++)(?P<value>[\w.~+/=-]++)"),
        _is_credential,
    ),
    _Rule(
        ("key", "token", "secret", "pass"),
        re.compile(
            rf"(?i)(?P<keep>(?P<name>{_STRONG_NAME}|token)(?:{_QUOTE})?\s*+[:=]\s*+)"
            rf"(?:(?P<quote>{_QUOTE})(?P<quoted>(?:(?!(?P=quote))[^\r\n])++)"
            rf"|(?P<bare>{_BARE}++))"
        ),
        _is_assigned_secret,
    ),
    _Rule(
        ("_key=", "_token=", "_pass="),
        re.compile(
            r"(?P<keep>\b[A-Z][A-Z0-9_]{0,60}_(?:KEY|TOKEN|PASS)=)"
            rf"(?:(?P<quote>{_QUOTE})(?:(?!(?P=quote))[^\r\n])++|{_BARE}{{6,}}+)"
        ),
    ),
)
_HINTS = frozenset(hint for rule in _RULES for hint in rule.hints)


def environment_secrets(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the values of environment variables whose names say that they are secret.

    Args:
        environment: Where to look; ``None`` for this process's.
    """
    variables = os.environ if environment is None else environment
    return [
        value.strip()
        for name, value in variables.items()
        if _SECRET_VARIABLE.search(name) and not value.startswith(("/", "~"))
    ]


class Scrubber:
    """Puts ``[removed]`` where a secret stands. Scrubbing twice changes nothing more.

    Found are the given values (plain, as in JSON, as in a URL and in base64), keys of
    well-known forms, values of ``Authorization``, cookies, user names and passwords
    and tokens in URLs, and what is assigned to a name such as ``password``.

    Args:
        secrets: Values that must not appear. One that is shorter than 12 characters
            counts only if it has 8 and a digit: ``ollama`` is a word, not a secret.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for value in secrets for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._values = (
            re.compile("|".join(map(re.escape, longest_first)))
            if longest_first
            else None
        )
        # A history comes again with every request.
        self._cached = lru_cache(_CACHED_TEXTS)(self._scrub)

    def text(self, text: str) -> str:
        """Return a text without secrets, and without what UTF-8 cannot carry."""
        if len(text) > _CACHED_CHARACTERS:
            return self._scrub(text)
        return self._cached(text)

    def _scrub(self, text: str) -> str:
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()
        if self._values is not None:
            text = self._values.sub(REMOVED, text)
        lowered = text.lower()
        hints = {hint for hint in _HINTS if hint in lowered}
        for rule in _RULES:
            if not hints.isdisjoint(rule.hints):
                text = rule.pattern.sub(partial(_replace, rule), text)
        return text

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON in, the same out
        """Return a JSON-able value without secrets, known by their keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {
                self.text(key): self._field(key, item)
                for key, item in cast("dict[str, Any]", value).items()
            }
        return value

    def _field(self, key: str, value: object) -> object:
        if not (isinstance(value, str) and value):
            return self.value(value)
        if _STRONG_KEY.fullmatch(key):
            return REMOVED
        if key.lower() in _WEAK_KEYS and _looks_secret(value):
            return REMOVED
        return self.text(value)


def _forms(value: str) -> set[str]:
    """Return how a secret may be spelt; nothing for a word that is none."""
    value = value.strip()
    if not _looks_secret(value) and len(value) < _LONG_CHARACTERS:
        return set()
    in_json = msgspec.json.encode(value).decode()[1:-1]
    in_base64 = base64.b64encode(value.encode("utf-8", "replace")).decode()
    return {value, in_json, quote(value, safe=""), in_base64.rstrip("=")}


def _looks_secret(value: str) -> bool:
    is_one_word = not any(character.isspace() for character in value)
    has_digit = any(character.isdigit() for character in value)
    return len(value) >= _LEAST_CHARACTERS and is_one_word and has_digit


def _replace(rule: _Rule, match: re.Match[str]) -> str:
    if not rule.is_secret(match):
        return match[0]
    groups = match.groupdict()
    return (groups.get("keep") or "") + (groups.get("quote") or "") + REMOVED
