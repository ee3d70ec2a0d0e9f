"""What is generated from the protocol's types agrees with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("frontend/src/protocol.ts", "docs/reference/protocol.md")


def run_check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "scripts" / "generate_protocol.py"), "--check"],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        timeout=60,
    )


def test_generated_files_are_up_to_date() -> None:
    result = run_check(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", GENERATED)
def test_generated_file_that_drifts_is_named(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for generated in GENERATED:
        target = tmp_path / generated
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / generated, target)
    changed = tmp_path / name
    text = changed.read_text("utf-8")
    changed.write_text(text.replace("seq", "sequence", 1), "utf-8")

    result = run_check(tmp_path)

    assert result.returncode == 1
    assert f"--- {name} (on disk)" in result.stdout
    assert "sequence" in result.stdout
