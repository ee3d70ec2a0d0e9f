"""How Hypothesis looks for cases: the same ones in every run, or many."""

from __future__ import annotations

from hypothesis import settings

# A case that takes long on a busy machine is no failure: hence no deadline.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=10_000)
settings.load_profile("repeatable")
