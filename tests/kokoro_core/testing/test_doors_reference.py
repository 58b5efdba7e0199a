"""The page of the checks is what the list says."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokoro_core.testing.engine.reference_page import reference_page

pytestmark = pytest.mark.same_everywhere

PAGE = Path(__file__).parents[3] / "docs" / "conformance-checks.md"


def test_the_page_of_the_checks_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), (
        "renew it: python -m kokoro_core.testing.engine.reference_page > docs/conformance-checks.md"
    )
