"""Properties that hold for a few steps hold for many."""

from __future__ import annotations

from kokoro_core.testing.check import Check
from kokoro_core.testing.checks.reach import DRAWS, assert_order_matters, assert_reach
from kokoro_core.testing.checks.rows import assert_rows_alone
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.data.inputs import Outputs
from kokoro_core.testing.subjects.subject import Subject

LONG = Cases(RaggedBatch, (RaggedBatch((40, 17), 2), RaggedBatch((70, 33), 3)))


@Check(
    "long-rows",
    cases=LONG,
    bug="transformers#37574, TensorFlowTTS#142: windows, wraps, ends of tables",
)
def long_rows(subject: Subject, batch: RaggedBatch) -> None:
    """Rows of many steps give what they give alone, or are refused; nothing is cut or wrapped."""
    if run_or_refusal(subject, batch) is None:
        return
    assert_rows_alone(subject.probe, batch, "the same alone and in a batch, when long")
    if subject.slot in ("encoder", "duration_predictor", "adaptor", "postnet"):
        draws = 2 if subject.slot == "encoder" else DRAWS
        assert_reach(subject, max(batch.lengths), batch.seed, draws=draws)
    if subject.slot == "encoder" and not subject.capabilities.position_free:
        assert_order_matters(subject, batch)


def run_or_refusal(subject: Subject, batch: RaggedBatch) -> Outputs | None:
    """Return the outputs, or None if the batch is refused as longer than `max_len`."""
    try:
        return subject.probe.run(subject.probe.inputs(batch))
    except ValueError:
        assert max(batch.lengths) > SHORT, f"{SHORT} steps must not be refused"
        return None


SHORT = 64
"""Steps that every small configuration accepts: the kit never sets a smaller `max_len`."""
