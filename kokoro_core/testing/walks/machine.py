"""`decoding_machine`: an autoregressive decoder as a hypothesis state machine.

``TestAcmeDecoder = decoding_machine(AcmeDecoderParams()).TestCase`` in a test file is enough.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from kokoro_core.slots import DecoderParams
from kokoro_core.testing.data import strategies
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.walks.walk import Move, Walk


def decoding_machine(params: DecoderParams) -> type[RuleBasedStateMachine]:
    """Return a machine that steps, forks, reorders and drops rows in whatever order it draws.

    The reference is one parallel pass: each step must give what the pass gives for its rows.

    Args:
        params: Of an autoregressive decoder.
    """
    subject = Subject(params)
    rows = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(tuple)

    class DecodingMachine(RuleBasedStateMachine):
        """Drives one decoder through one batch."""

        walk: Walk

        @initialize(batch=strategies.ragged_batches(max_length=7))
        def begin(self, batch: RaggedBatch) -> None:
            """Begin with a batch."""
            self.walk = Walk(subject.probe, batch)

        @precondition(lambda self: self.walk.left > 0)
        @rule(groups=st.integers(1, 4))
        def step(self, groups: int) -> None:
            """Generate some groups of frames."""
            self.walk.move(Move("step", groups))

        @rule(chosen=rows)
        def fork(self, chosen: tuple[int, ...]) -> None:
            """Continue with a copy of some rows: forked, reordered or dropped."""
            self.walk.move(Move("fork", rows=chosen))

        @rule(chosen=rows)
        def keep(self, chosen: tuple[int, ...]) -> None:
            """Continue with the original while a copy of some rows goes another way."""
            self.walk.move(Move("keep", rows=chosen))

    return DecodingMachine
