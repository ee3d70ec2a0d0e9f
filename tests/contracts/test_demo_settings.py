"""The settings file at the root shows every setting there is, and only those."""

from __future__ import annotations

import re
from pathlib import Path

from traitlets.config import Config

from streamchat_nb.server.extension import StreamchatExtension

FILE = Path(__file__).parents[2] / "jupyter_server_config.py"
NAME = re.compile(r"^# c\.StreamchatExtension\.(\w+) = ", re.MULTILINE)
EXAMPLE = re.compile(r"^# (?=c\.)", re.MULTILINE)


def read(text: str) -> Config:
    """Execute a settings file as Jupyter does."""
    config = Config()
    exec(compile(text, FILE, "exec"), {"get_config": lambda: config})  # noqa: S102
    return config


def test_demo_settings_as_they_are_change_nothing() -> None:
    assert read(FILE.read_text(encoding="utf-8")) == Config()


def test_demo_settings_show_every_setting() -> None:
    own = {
        name
        for name, trait in StreamchatExtension.class_traits(config=True).items()
        if trait.this_class is StreamchatExtension
    }

    assert set(NAME.findall(FILE.read_text(encoding="utf-8"))) == own


def test_demo_settings_switched_on_are_accepted() -> None:
    config = read(EXAMPLE.sub("", FILE.read_text(encoding="utf-8")))

    extension = StreamchatExtension(config=config)

    for name, value in config.StreamchatExtension.items():
        assert getattr(extension, name) == value
