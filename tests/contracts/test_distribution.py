from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "streamchat_nb"
BUNDLE = f"{PACKAGE}/widget/static"
SCHEMA = "@streamchat-nb/lab/plugin.json"
MAKE_TIMEOUT_S = 300


def make(target: str, root: Path, folder: Path) -> Path:
    """Make an sdist or a wheel and return its path."""
    finished = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)],
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
        timeout=MAKE_TIMEOUT_S,
    )
    assert finished.returncode == 0, finished.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the wheel from the sdist, on a machine that has no Node."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
        return make("wheel", unpacked, tmp_path_factory.mktemp("wheel"))


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def read(wheel: Path, suffix: str) -> str:
    (name,) = (name for name in names(wheel) if name.endswith(suffix))
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode()


def test_sdist_carries_sources_bundle_and_record(unpacked: Path) -> None:
    assert (unpacked / "frontend" / "package-lock.json").is_file()
    assert (unpacked / BUNDLE / "bundle.json").is_file()
    assert not list(unpacked.rglob("node_modules"))
    assert not list(unpacked.rglob("__pycache__"))


def test_wheel_carries_the_bundle_and_its_licences(wheel: Path) -> None:
    in_wheel = {
        name.removeprefix(f"{BUNDLE}/")
        for name in names(wheel)
        if name.startswith(BUNDLE)
    }
    in_checkout = {
        file.relative_to(ROOT / BUNDLE).as_posix()
        for file in (ROOT / BUNDLE).rglob("*")
        if file.is_file()
    }

    assert in_wheel == in_checkout - {"bundle.json"}
    assert "THIRD_PARTY_LICENSES.txt" in in_wheel
    assert any(name.endswith(".js") for name in in_wheel)


def test_wheel_carries_every_module_and_its_types(wheel: Path) -> None:
    modules = {
        file.relative_to(ROOT).as_posix() for file in (ROOT / PACKAGE).rglob("*.py")
    }

    assert modules <= names(wheel)
    assert f"{PACKAGE}/py.typed" in names(wheel)


def test_wheel_carries_nothing_else(wheel: Path) -> None:
    folders = {name.partition("/")[0] for name in names(wheel)}
    version = wheel.name.split("-")[1]

    assert folders == {
        PACKAGE,
        f"{PACKAGE}-{version}.data",
        f"{PACKAGE}-{version}.dist-info",
    }


def test_wheel_enables_the_server_extension(wheel: Path) -> None:
    enabled = read(wheel, "data/etc/jupyter/jupyter_server_config.d/streamchat_nb.json")

    assert '"streamchat_nb": true' in enabled


def test_wheel_names_command_tools_and_licence(wheel: Path) -> None:
    entry_points = read(wheel, ".dist-info/entry_points.txt")

    assert "jupyter-streamchat = streamchat_nb.command_line:main" in entry_points
    assert "contacts = streamchat_nb.tools.contacts:search_contacts" in entry_points
    assert "BSD 3-Clause" in read(wheel, ".dist-info/licenses/LICENSE")


def test_wheel_carries_the_extension_of_jupyterlab(wheel: Path, unpacked: Path) -> None:
    folder = "data/share/jupyter/labextensions/@streamchat-nb/lab"
    package = json.loads(read(wheel, f"{folder}/package.json"))
    entry = package["jupyterlab"]["_build"]["load"]

    assert "_JUPYTERLAB" in read(wheel, f"{folder}/{entry}")
    assert json.loads(read(wheel, f"{folder}/install.json"))["packageName"] == PACKAGE
    assert "streamchat:open" in read(wheel, f"{folder}/schemas/{SCHEMA}")
    licences = json.loads(read(wheel, f"{folder}/static/third-party-licenses.json"))
    assert all(one["extractedText"] for one in licences["packages"])
    assert (unpacked / "labextension" / "package-lock.json").is_file()
    assert (unpacked / "labextension" / "dist" / "bundle.json").is_file()
