"""Mark the checks that a processor or a kernel cannot change."""

from __future__ import annotations

import pytest

from tests.kokoro_core.testing.same_everywhere import CHECKS


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the test of such a check, of a component or of a model."""
    asked = getattr(item, "callspec", None)
    tried = asked.params.get("check") if asked else None
    if getattr(getattr(tried, "check", None), "id", tried) in CHECKS:
        item.add_marker(pytest.mark.same_everywhere)
