from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.chromium import ROOT, launch_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

LAB_ARGUMENTS = ["--LabApp.expose_app_in_browser=True"]
# A server that has just started imports Claude's SDK before its first answer.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker("browser")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return launch_arguments()


@pytest.fixture(scope="session")
def page_server() -> Iterator[ServerProcess]:
    """A server with the page alone; its tool can be seen at work."""
    with ServerProcess(
        ["--StreamchatExtension.offline_pace_s=0.02"],
        environment={"STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "0.4"},
    ) as server:
        yield server


@pytest.fixture(scope="session")
def lab_server() -> Iterator[ServerProcess]:
    """JupyterLab with the quickstart notebook."""
    arguments = [*LAB_ARGUMENTS, "--StreamchatExtension.offline_pace_s=0.02"]
    with ServerProcess(
        arguments,
        application="jupyterlab",
        environment={"STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "0.8"},
    ) as server:
        shutil.copy(ROOT / "notebooks" / "quickstart.ipynb", server.work)
        # JupyterLab's question about its news would lie over the notebook.
        news = server.home / "config/lab/user-settings/@jupyterlab/apputils-extension"
        news.mkdir(parents=True)
        (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        yield server


@pytest.fixture
def quiet(page: Page) -> Iterator[Page]:
    """A page in which no script fails."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert errors == []
