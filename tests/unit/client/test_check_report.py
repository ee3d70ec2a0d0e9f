from __future__ import annotations

from streamchat_nb.client.check_report import CheckReport
from streamchat_nb.protocol.checks import Check

WELL = Check(name="reachable", status="ok", says="The endpoint answers.")
BAD = Check(
    name="tools", status="failed", says="It says: <b>no</b> | `x`.", hint="Do this."
)
SKIPPED = Check(name="sse", status="skipped", says="Not tried.")


def test_report_is_ok_where_nothing_failed() -> None:
    assert CheckReport((WELL, SKIPPED)).ok
    assert not CheckReport((WELL, BAD)).ok


def test_report_prints_a_line_for_each_check_and_its_hint() -> None:
    assert str(CheckReport((WELL, BAD, SKIPPED))) == (
        "ok      Reachable    The endpoint answers.\n"
        "FAILED  Tools        It says: <b>no</b> | `x`.\n"
        "                     Do this.\n"
        "-       HTTP stream  Not tried."
    )
    assert repr(CheckReport((WELL,))) == str(CheckReport((WELL,)))


def test_report_shows_as_a_table_that_is_nothing_but_text() -> None:
    table = CheckReport((WELL, BAD))._repr_markdown_()
    assert table.splitlines()[2:] == [
        "| ok | Reachable | The endpoint answers. |",
        r"| **FAILED** | Tools | It says: \<b\>no\</b\> \| \`x\`. Do this. |",
    ]
