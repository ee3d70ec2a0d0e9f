"""What does an answer cost the page it is streamed into, and its rivals'?

The four texts of ``frontend/bench/texts.ts`` at 60 pieces a second, each through a real
server into Chromium, measured by the browser's own tracing: this product's page,
``ipywidgets.HTML`` set anew for each piece, and the chat of jupyter-ai, which is
installed into a folder of its own. Besides: what a token costs at the end of a long
conversation, how soon a long one is on the screen, how large the bundle is.

Times are CPU times of the main thread, so that what else the machine does counts
less; the longest task is given by the clock, too. Compare within one run only.

    python -m benchmarks.browser_rendering --quick

A full run takes about ten minutes, a quick one three.
"""

import argparse
import gzip
import os
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from benchmarks.peers.notebook_side import JUPYTER_AI_FOLDER
from benchmarks.rendering.contenders import Bare, Contender, Product, Skipped
from benchmarks.rendering.conversations import first_paints, growth
from benchmarks.rendering.jupyter_ai_chat import JupyterAi
from benchmarks.rendering.naive_widget import NaiveWidget
from benchmarks.rendering.report import Row, machine, row, write
from benchmarks.rendering.texts import TEXTS, BenchText
from tests.browser.chromium import ROOT, launch_arguments

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from benchmarks.rendering.contenders import Streamed

SHORT = 20_000
"""Characters of a text that a quick run has time for."""
OUR_LIMIT_S = 120.0
LIMIT_S = 90.0
"""When a rival is given up that streams a text."""
BUNDLE = ROOT / "streamchat_nb" / "widget" / "static" / "widget.js"
BUNDLE_GOAL_BYTES = 150_000


def main() -> None:
    """Measure as the command line says; print and write the table."""
    arguments = _arguments()
    result, rows = measured(
        quick=arguments.quick,
        runs=arguments.runs,
        rivals=[]
        if arguments.no_rivals
        else rivals(arguments.limit, folder=arguments.jupyter_ai),
    )
    print(write(result, rows))  # noqa: T201 - what it is for


def measured(
    *, quick: bool, runs: int, rivals: list[Contender], is_brief: bool = False
) -> tuple[dict[str, Any], list[Row]]:
    """Return where and how it was measured, with further figures, and the rows.

    Args:
        quick: The short texts only.
        runs: Of this product, for each text; of a rival there is one.
        rivals: Whom to compare with. Which cannot run here is left out, and told in
            ``skipped``.
        is_brief: The long texts once, and without rivals, who do not get to their end.
    """
    short = [text for text in TEXTS if len(text.text) <= SHORT]
    texts = short if quick else list(TEXTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_arguments())
        result = machine(browser.version)
        frame_ms = _frame_ms(browser)
        result["frame_ms"] = round(frame_ms, 3)
        often = short if is_brief else texts
        rows, further = _measure_ours(
            browser, {text: runs if text in often else 1 for text in texts}, frame_ms
        )
        skipped: dict[str, str] = {}
        versions = {Product.name: Product.version}
        for rival in rivals:
            try:
                with rival:
                    texts_of = dict.fromkeys(often, 1)
                    rows += _measure(browser, rival, texts_of, frame_ms, ours=rows)
                    versions[rival.name] = rival.version
            except (Skipped, PlaywrightError) as reason:
                skipped[rival.name] = str(reason)
                print(f"left out: {rival.name}: {reason}", file=sys.stderr)  # noqa: T201
        browser.close()
    rows.sort(key=lambda one: [text.name for text in TEXTS].index(one.text))
    result |= {"further": further, "skipped": skipped, "versions": versions}
    result["load_average_after"] = os.getloadavg()
    return result, rows


def rivals(
    limit_s: float = LIMIT_S, *, folder: Path = JUPYTER_AI_FOLDER
) -> list[Contender]:
    """Return this product's rivals in a notebook.

    Args:
        limit_s: When one is given up that streams a text.
        folder: Where the virtual environment of jupyter-ai is, or is made.
    """
    return [NaiveWidget(limit_s), JupyterAi(folder, limit_s)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the short texts only")
    parser.add_argument("--runs", type=int, default=3, help="of this product")
    parser.add_argument("--no-rivals", action="store_true", help="this product alone")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, help="seconds for a rival and a text"
    )
    parser.add_argument(
        "--jupyter-ai",
        type=Path,
        default=JUPYTER_AI_FOLDER,
        help="its virtual environment",
    )
    return parser.parse_args()


def _frame_ms(browser: "Browser") -> float:
    """Return what a frame costs by itself."""
    threads = [Bare().measure(browser, TEXTS[0]).main_thread for _ in range(3)]
    return median(thread.total_ms / thread.frames for thread in threads)


def _measure_ours(
    browser: "Browser", texts: dict[BenchText, int], frame_ms: float
) -> tuple[list[Row], list[dict[str, Any]]]:
    with Product(OUR_LIMIT_S) as product:
        rows = _measure(browser, product, texts, frame_ms, ours=None)
        further = [
            growth(product, browser, 1),
            first_paints(product, browser, max(3, *texts.values())),
            _bundle(),
        ]
    return rows, further


def _measure(
    browser: "Browser",
    contender: Contender,
    texts: dict[BenchText, int],
    frame_ms: float,
    *,
    ours: list[Row] | None,
) -> list[Row]:
    """Measure a contender on texts, each as often as is said."""
    rows: list[Row] = []
    for text, runs in texts.items():
        streams: list[Streamed] = []
        for number in range(runs):
            note = f"{contender.name}: {text.name}, run {number + 1} of {runs}"
            print(note, file=sys.stderr)  # noqa: T201 - it takes minutes
            streams.append(contender.measure(browser, text))
        own = next((one for one in ours or () if one.text == text.name), None)
        rows.append(row(contender.name, text, streams, frame_ms=frame_ms, ours=own))
    return rows


def _bundle() -> dict[str, Any]:
    content = BUNDLE.read_bytes()
    return {
        "measured": "bytes that travel with each widget (widget.js)",
        "bytes": len(content),
        "bytes_gzip": len(gzip.compress(content)),
        "goal_bytes": BUNDLE_GOAL_BYTES,
        "met": len(content) <= BUNDLE_GOAL_BYTES,
    }


if __name__ == "__main__":
    main()
