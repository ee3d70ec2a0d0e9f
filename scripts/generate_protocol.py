"""Write what follows from the protocol's types: TypeScript and the reference page.

Run it from anywhere::

    python scripts/generate_protocol.py           # write both files
    python scripts/generate_protocol.py --check   # exit 1 when one is out of date
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec
import msgspec.inspect as types
from msgspec import NODEFAULT, Struct
from protocol_types import (
    MODULES,
    MUTABLE,
    PROSE,
    READONLY,
    aliases,
    attributes,
    default_of,
    describe,
    may_be_absent,
    own_fields,
    parent,
    prose,
    spell,
    structs,
    tag_of,
)

from streamchat_nb.conversation import state, states
from streamchat_nb.protocol import (
    agent_events,
    close_codes,
    commands,
    content,
    events,
    frames,
    limits,
    trace,
)

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
TYPESCRIPT = ROOT / "frontend" / "src" / "protocol.ts"
REFERENCE = ROOT / "docs" / "reference" / "protocol.md"
LINE_WIDTH = 88
WIRE_NAMES = {
    cls.__name__: tag
    for module in MODULES
    for cls in structs(module)
    if (tag := tag_of(cls)) is not None
}
STATES = frozenset(structs(states))

# --- TypeScript ----------------------------------------------------------------


def comment(text: str, indent: str = "") -> list[str]:
    """Return ``text`` as a documentation comment, or nothing for none."""
    if not text:
        return []
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        width = LINE_WIDTH - len(indent) - 7
        lines += [*textwrap.wrap(" ".join(paragraph.split()), width), ""]
    lines.pop()
    if len(lines) == 1:
        return [f"{indent}/** {lines[0]} */"]
    body = [f"{indent} * {line}".rstrip() for line in lines]
    return [f"{indent}/**", *body, f"{indent} */"]


def declaration(head: str, members: list[str], indent: str = "") -> list[str]:
    """Return ``head a | b;``, one member a line when it is long."""
    line = f"{indent}{head} {' | '.join(members)};"
    if len(line) <= LINE_WIDTH or len(members) == 1:
        return [line]
    return [
        f"{indent}{head}",
        *(f"{indent}  | {member}" for member in members[:-1]),
        f"{indent}  | {members[-1]};",
    ]


def interface(cls: type[Struct], *, filled: bool = False) -> list[str]:
    """Return one struct as an interface.

    Args:
        cls: The struct.
        filled: As the fold holds it: every field is there and may be assigned.
            Otherwise as it travels.
    """
    wire_state = cls in STATES and not filled
    base, tag, texts = parent(cls), tag_of(cls), attributes(cls)
    name = f"{'Wire' if wire_state else ''}{cls.__name__}"
    extends = f" extends {base.__name__}" if base else ""
    head = f"A `{cls.__name__}` as it travels: defaults are left off."
    lines = comment(head if wire_state else prose(cls))
    lines.append(f"export interface {name}{extends} {{")
    if tag is not None:
        lines.append(f"  readonly type: {json.dumps(tag)};")
    for field in own_fields(cls):
        optional = "?" if not filled and may_be_absent(cls, field) else ""
        access = "" if filled else "readonly "
        spelled = spell(field.type, MUTABLE if filled else READONLY).split(" | ")
        lines += comment(texts.get(field.name, ""), "  ")
        lines += declaration(f"{access}{field.encode_name}{optional}:", spelled, "  ")
    return [*lines, "}", ""]


def filling(cls: type[Struct]) -> list[str]:
    """Return the function that puts a state's defaults back."""
    name = cls.__name__
    lines = [
        f"/** Put the defaults back that the wire left off a `{name}`. */",
        f"export function fill{name}(wire: Wire{name}): {name} {{",
        "  return {",
    ]
    own: list[str] = []
    for field in describe(cls).fields:
        key, default = field.encode_name, default_of(field)
        match field.type:
            case types.ListType(item_type=types.StructType(cls=item)) if item in STATES:
                own.append(f"{key}: (wire.{key} ?? []).map(fill{item.__name__}),")
            case types.UnionType() if (inner := optional_state(field.type)) is not None:
                filled = f"fill{inner.__name__}(wire.{key})"
                own.append(f"{key}: wire.{key} ? {filled} : null,")
            case types.ListType():
                own.append(f"{key}: [...(wire.{key} ?? [])],")
            case types.DictType() if default is not NODEFAULT:
                own.append(f"{key}: {{ ...wire.{key} }},")
            case _ if default is not NODEFAULT:
                lines.append(f"    {key}: {json.dumps(default)},")
            case _:
                pass
    return [*lines, "    ...wire,", *(f"    {line}" for line in own), "  };", "}", ""]


def optional_state(union: types.UnionType) -> type[Struct] | None:
    """Return the state of a field that holds one or nothing."""
    for member in union.types:
        if isinstance(member, types.StructType) and member.cls in STATES:
            return member.cls
    return None


def module_types(module: ModuleType) -> list[str]:
    """Return the structs and named unions of one module."""
    lines: list[str] = []
    for cls in structs(module):
        lines += interface(cls)
        if cls in STATES:
            lines += [*interface(cls, filled=True), *filling(cls)]
    for alias in aliases(module):
        head = f"export type {alias.name} ="
        lines += [*comment(alias.doc), *declaration(head, list(alias.members)), ""]
    return lines


def tags(union: object) -> list[str]:
    """Return the ``type`` of each variant."""
    return [str(tag_of(variant)) for variant in get_args(union)]


def constants() -> list[str]:
    """Return the tables that a program needs beside the types."""
    lines: list[str] = []
    for name, union in (("EVENT", events.Event), ("FRAME", frames.Frame)):
        lines += [
            f"/** The known types of {name.lower()}s; others come from newer peers. */",
            f"export const {name}_TYPES: ReadonlySet<string> = new Set([",
            *(f"  {json.dumps(tag)}," for tag in tags(union)),
            "]);",
            "",
        ]
    values = msgspec.to_builtins(limits.Limits())
    lines += [
        "/** The limits that a server has unless its `hello` says otherwise. */",
        "export const DEFAULT_LIMITS: Limits = {",
        *(f"  {name}: {value}," for name, value in values.items()),
        "};",
        "",
        "/** What a close code means and whether a client reconnects by itself. */",
        "export interface CloseMeaning {",
        "  readonly meaning: string;",
        "  readonly reconnect: boolean;",
        "}",
        "",
        "/** Why a socket ends: the table that server, clients and docs share. */",
        "export const CLOSE_CODES: Readonly<Record<number, CloseMeaning>> = {",
    ]
    for code, (meaning, reconnect) in close_codes.CLOSE_CODES.items():
        lines += [
            f"  {code.value}: {{",
            f"    meaning: {json.dumps(meaning)},",
            f"    reconnect: {json.dumps(reconnect)},",
            "  },",
        ]
    return [*lines, "};", ""]


def typescript() -> str:
    """Return the whole of ``protocol.ts``."""
    lines = [
        "// Generated by scripts/generate_protocol.py from streamchat_nb/protocol and",
        "// streamchat_nb/conversation/states.py: change those and run it again.",
        "",
    ]
    for module in MODULES:
        lines += module_types(module)
    return "\n".join([*lines, *constants()])


# --- the reference page --------------------------------------------------------


def cell(text: str) -> str:
    """Return ``text`` fit for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def field_rows(cls: type[Struct]) -> list[str]:
    """Return the table of the fields that ``cls`` adds to its parent's."""
    fields, texts = own_fields(cls), attributes(cls)
    if not fields:
        return []
    described = bool(texts)
    lines = [f"| field | type | default |{' meaning |' if described else ''}"]
    lines.append(f"|---|---|---|{'---|' if described else ''}")
    for field in fields:
        default = default_of(field)
        shown = "required" if default is NODEFAULT else f"`{json.dumps(default)}`"
        if not field.required and not may_be_absent(cls, field):
            shown += ", always sent"
        row = f"| `{field.encode_name}` | {cell(spell(field.type, PROSE))} | {shown} |"
        text = texts.get(field.name, "")
        lines.append(f"{row} {cell(text)} |" if described else row)
    return [*lines, ""]


def section(
    title: str, module: ModuleType, *, about: ModuleType | None = None
) -> list[str]:
    """Return a module's types as a section of the page.

    Args:
        title: Its heading.
        module: What has the types.
        about: What tells of them; ``module`` itself when ``None``.
    """
    lines = [f"## {title}", "", prose(about or module), ""]
    for cls in structs(module):
        tag = tag_of(cls)
        heading = f"`{tag}`" if tag is not None else cls.__name__
        lines += [f"### {heading}", "", prose(cls), "", *field_rows(cls)]
    for alias in aliases(module):
        names = (WIRE_NAMES.get(name, name.strip('"')) for name in alias.members)
        values = ", ".join(f"`{name}`" for name in names)
        one_of = "One of " if len(alias.members) > 1 else ""
        lines += [f"### {alias.name}", "", f"{one_of}{values}.", ""]
        lines += [alias.doc, ""] if alias.doc else []
    return lines


def reference() -> str:
    """Return the whole of the reference page."""
    lines = [
        "<!-- Generated by scripts/generate_protocol.py; do not edit. -->",
        "",
        "# streamchat.v1 reference",
        "",
        "What travels between a server and its clients. Each value is one JSON object",
        "whose `type` names it; a field with a default is left off when it has it.",
        "Receivers ignore fields they do not know. Only to clients that ask for it, a",
        "delta may be sent as a string (`ShortDelta`).",
        "",
        *section("Commands", commands),
        *section("Frames", frames),
        *section("Events", events),
        *section("Events of agents", agent_events),
        *section("Content", content),
        *section("State", states, about=state),
        *section("Traces", trace),
        *section("Limits", limits),
        "## Close codes",
        "",
        prose(close_codes),
        "",
        "| code | name | meaning | reconnect |",
        "|---|---|---|---|",
    ]
    for code, (meaning, reconnect) in close_codes.CLOSE_CODES.items():
        again = "yes" if reconnect else "no"
        lines.append(f"| {code.value} | `{code.name}` | {cell(meaning)} | {again} |")
    return "\n".join([*lines, ""])


# --- the program ---------------------------------------------------------------


def outputs() -> dict[Path, str]:
    """Return what each generated file has to contain."""
    return {TYPESCRIPT: typescript(), REFERENCE: reference()}


def drift() -> str:
    """Return how the files on disk differ from what they should be; '' for not."""
    parts: list[str] = []
    for path, wanted in outputs().items():
        name = path.relative_to(ROOT).as_posix()
        found = path.read_text("utf-8") if path.exists() else ""
        parts += difflib.unified_diff(
            found.splitlines(keepends=True),
            wanted.splitlines(keepends=True),
            f"{name} (on disk)",
            f"{name} (generated)",
        )
    return "".join(parts)


def main() -> int:
    """Write the files, or compare them; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Write or check what follows from the protocol's types."
    )
    parser.add_argument("--check", action="store_true", help="only compare")
    if parser.parse_args().check:
        difference = drift()
        print(difference or "The generated files are up to date.")
        return 1 if difference else 0
    for path, text in outputs().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
