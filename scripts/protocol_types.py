"""The protocol's types as data: what ``generate_protocol.py`` writes down.

Types, defaults and prose are read from ``streamchat_nb/protocol`` and
``streamchat_nb/conversation/states.py``; nothing about them is said here.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import msgspec.inspect as types
from msgspec import NODEFAULT, Struct

from streamchat_nb.conversation import states
from streamchat_nb.protocol import (
    agent_events,
    commands,
    content,
    events,
    frames,
    limits,
    trace,
)

if TYPE_CHECKING:
    from types import ModuleType

MODULES = (content, events, agent_events, limits, commands, frames, states, trace)
"""In the order in which a reader meets them; each needs only those before it."""


IDENTIFIER = "Identifier"
"""The kind of string with a pattern; ``Parent`` is the one that may be empty."""


@dataclass(frozen=True)
class Alias:
    """A public name for a union, a set of literals or a kind of string."""

    name: str
    members: tuple[str, ...]
    doc: str
    keys: frozenset[str]


@dataclass(frozen=True)
class Dialect:
    """How one output spells types. ``state_prefix`` goes before names of states."""

    separator: str
    any_value: str
    integer: str
    list_of: str
    map_of: str
    state_prefix: str = ""


PROSE = Dialect(" or ", "any", "integer", "list of {}", "map to {}")
READONLY = Dialect(
    " | ", "unknown", "number", "readonly {}[]", "Readonly<Record<string, {}>>", "Wire"
)
MUTABLE = Dialect(" | ", "unknown", "number", "{}[]", "Record<string, {}>")


def structs(module: ModuleType) -> list[type[Struct]]:
    """Return the public structs that ``module`` defines, in its order."""
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Struct)
        and value.__module__ == module.__name__
        and name in module.__all__
    ]


def aliases(module: ModuleType) -> list[Alias]:
    """Return the types that ``module`` gives a name, in its order."""
    body = ast.parse(inspect.getsource(module)).body
    found: list[Alias] = []
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if name in module.__all__:
                pass
            case _:
                continue
        info = types.type_info(getattr(module, name))
        if not isinstance(info, types.UnionType | types.LiteralType | types.StrType):
            continue
        match following:
            case ast.Expr(value=ast.Constant(value=str(doc))):
                pass
            case _:
                doc = ""
        members = member_names(getattr(module, name))
        found.append(Alias(name, members, plain(doc), member_keys(info)))
    return found


def member_names(value: object) -> tuple[str, ...]:
    """Return the members of an alias in the order of its source."""
    if isinstance(types.type_info(value), types.StrType):
        return ("string",)
    return tuple(
        json.dumps(member)
        if isinstance(member, str)
        else spell_single(types.type_info(member), READONLY)
        for member in get_args(value)
    )


def describe(cls: type[Struct]) -> types.StructType:
    """Return msgspec's description of ``cls``."""
    info = types.type_info(cls)
    if not isinstance(info, types.StructType):
        raise TypeError(f"{cls} is not a struct")
    return info


def parent(cls: type[Struct]) -> type[Struct] | None:
    """Return the struct with fields that ``cls`` extends, if there is one."""
    base = cls.__bases__[0]
    return base if issubclass(base, Struct) and base.__struct_fields__ else None


def tag_of(cls: type[Struct]) -> str | None:
    """Return the value of ``type``, or ``None`` for what is not sent by itself."""
    tag = describe(cls).tag
    return None if tag in (None, cls.__name__) else str(tag)


def own_fields(cls: type[Struct]) -> list[types.Field]:
    """Return the fields that ``cls`` adds to its parent's."""
    base = parent(cls)
    inherited = base.__struct_fields__ if base else ()
    return [field for field in describe(cls).fields if field.name not in inherited]


def default_of(field: types.Field) -> object:
    """Return a field's default as JSON has it, or ``NODEFAULT``."""
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return field.default


def may_be_absent(cls: type[Struct], field: types.Field) -> bool:
    """Say whether ``field`` is left off the wire when it has its default."""
    return not field.required and bool(cls.__struct_config__.omit_defaults)


def plain(doc: str) -> str:
    """Return a docstring's text with Markdown's code marks."""
    return re.sub(r"``(.+?)``", r"`\1`", inspect.cleandoc(doc), flags=re.DOTALL)


def prose(subject: object) -> str:
    """Return a docstring without its section of attributes."""
    return plain(subject.__doc__ or "").partition("\nAttributes:\n")[0].strip()


def attributes(cls: type[Struct]) -> dict[str, str]:
    """Return what the docstring of ``cls`` says of each of its fields."""
    section = plain(cls.__doc__ or "").partition("\nAttributes:\n")[2]
    entries = re.findall(
        r"^(\w+): (.*(?:\n .*)*)", textwrap.dedent(section), flags=re.MULTILINE
    )
    return {name: " ".join(text.split()) for name, text in entries}


def member_keys(type_: types.Type) -> frozenset[str]:
    """Return what identifies a union or a set of literals, whatever their order."""
    match type_:
        case types.LiteralType(values=values):
            return frozenset(json.dumps(value) for value in values)
        case types.UnionType(types=members):
            return frozenset[str]().union(*map(member_keys, members))
        case types.StructType(cls=cls):
            return frozenset({cls.__name__})
        case types.StrType(pattern=str(pattern)):
            return frozenset({string_name(pattern)})
        case _:
            return frozenset({type(type_).__name__})


def spell(type_: types.Type, dialect: Dialect) -> str:
    """Return ``type_`` in a dialect; a union by its name when it has one."""
    if not isinstance(type_, types.UnionType | types.LiteralType):
        return spell_single(type_, dialect)
    keys = member_keys(type_)
    for alias in ALIASES:
        if keys == alias.keys:
            return alias.name
        if keys == alias.keys | {"NoneType"}:
            return f"{alias.name}{dialect.separator}null"
    if isinstance(type_, types.LiteralType):
        return dialect.separator.join(json.dumps(value) for value in type_.values)
    return dialect.separator.join(spell(member, dialect) for member in type_.types)


def string_name(pattern: str) -> str:
    """Return the name of the kind of string with a pattern."""
    return "Parent" if re.fullmatch(pattern, "") else IDENTIFIER


def spell_single(type_: types.Type, dialect: Dialect) -> str:
    """Return a type that is no union in a dialect."""
    match type_:
        case types.ListType(item_type=types.ListType() as item):
            inner = spell(item, dialect)
            return dialect.list_of.format(f"({inner})" if " " in inner else inner)
        case types.ListType(item_type=item):
            return dialect.list_of.format(spell(item, dialect))
        case types.DictType(value_type=value):
            return dialect.map_of.format(spell(value, dialect))
        case types.StructType(cls=cls):
            is_state = cls.__module__ == states.__name__
            return f"{dialect.state_prefix if is_state else ''}{cls.__name__}"
        case types.StrType(pattern=str(pattern)):
            return string_name(pattern)
        case _:
            return spell_scalar(type_, dialect)


def spell_scalar(type_: types.Type, dialect: Dialect) -> str:
    """Return a type that contains no other in a dialect."""
    match type_:
        case types.IntType():
            return dialect.integer
        case types.AnyType() | types.RawType():
            return dialect.any_value
        case types.NoneType():
            return "null"
        case types.BoolType():
            return "boolean"
        case types.FloatType():
            return "number"
        case _:
            return "string"


ALIASES: tuple[Alias, ...] = tuple(
    alias
    for module in MODULES
    for alias in aliases(module)
    if alias.members != ("string",)
)
"""The names of unions and of sets of literals."""
