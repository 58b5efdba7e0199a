"""What a spec costs is worked out once in a process, though commands ask for it ever again."""

from __future__ import annotations

import copy
from typing import Any

import pytest

COSTS: dict[str, dict[str, Any]] = {}
"""What each spec costs, by the spec and the work that it was measured on."""


@pytest.fixture(autouse=True)
def _each_spec_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands take what a spec costs from the first that measured it.

    The named specs are measured on 600 frames, which takes up to two seconds each.
    """
    from kokoro_core.cost import estimate

    honest = estimate.cost

    def once(spec: Any, workload: Any = None) -> dict[str, Any]:
        key = repr((spec, workload))
        if key not in COSTS:
            COSTS[key] = honest(spec, workload)
        return copy.deepcopy(COSTS[key])

    monkeypatch.setattr(estimate, "cost", once)
