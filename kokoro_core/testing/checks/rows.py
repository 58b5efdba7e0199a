"""Each row of a batch is computed as if alone: shapes, zeros at padding, independence."""

from __future__ import annotations

from kokoro_core.testing.check import Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES
from kokoro_core.testing.data.compare import (
    assert_same,
    assert_same_outputs,
    largest_difference,
    tolerance_of,
)
from kokoro_core.testing.data.inputs import Outputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject


@Check("shapes", cases=BATCHES, bug="tacotron2 PR#303, espnet#3318: a squeeze, a step too many")
def shapes(subject: Subject, batch: RaggedBatch) -> None:
    """Every output has the shape that its slot says, the inputs' dtype, and finite numbers."""
    probe = subject.probe
    outputs = probe.run(probe.inputs(batch))
    rows, steps = outputs.padding_mask.shape
    assert rows == len(batch.lengths), (
        f"the output must have {len(batch.lengths)} rows as the input has, not {rows}"
    )
    assert steps >= max(outputs.lengths), "the padding mask must cover the longest row"
    for name, tensor in outputs.tensors.items():
        expected = (rows, steps, *tensor.shape[2:])  # where no width is promised
        if name in probe.widths():
            width = probe.widths()[name]
            expected = (rows, steps) if width is None else (rows, steps, width)
        assert tuple(tensor.shape) == expected, (
            f"`{name}` must have the shape {expected}, not {tuple(tensor.shape)}"
        )
        assert tensor.dtype == probe.dtype, f"`{name}` must keep {probe.dtype}, not {tensor.dtype}"
        assert bool(tensor.isfinite().all()), f"`{name}` must be finite"


@Check(
    "padding-is-zero",
    cases=BATCHES,
    bug="jaywalnut310/vits#190, PaddleSpeech#3032: noise in the padded part",
)
def padding_is_zero(subject: Subject, batch: RaggedBatch) -> None:
    """Every output is exactly 0 at padding."""
    outputs = subject.probe.run(subject.probe.inputs(batch))
    for name, tensor in outputs.tensors.items():
        rest = tensor[outputs.padding_mask]
        assert bool((rest == 0).all()), f"`{name}` must be 0 at padding, not {rest.abs().max()}"


@Check(
    "row-alone",
    cases=BATCHES,
    bug="pytorch/audio#4205, espnet#6660, NeMo#3229: results change with the batch",
)
def row_alone(subject: Subject, batch: RaggedBatch) -> None:
    """Each row gives alone, without padding, what it gives in a batch, and is as long."""
    assert_rows_alone(subject.probe, batch, "the same alone and in a batch")


@Check(
    "row-alone-in-training",
    cases=BATCHES,
    skip=lambda subject: (
        "its rows depend on each other in training" if subject.component.couples_rows else None
    ),
    bug="pytorch#81985, mozilla/TTS#163: statistics of a batch with its padding",
)
def row_alone_in_training(subject: Subject, batch: RaggedBatch) -> None:
    """In training without dropout each row gives what it gives alone, and what evaluation gives."""
    probe = subject.probe_of(subject.trained)
    promise = "the same alone and in a batch, in training as well"
    assert_rows_alone(probe, batch, promise)
    inputs = probe.inputs(batch)
    trained, evaluated = probe.run(inputs), subject.probe.run(inputs)
    expected = Outputs(evaluated.tensors, evaluated.padding_mask)  # losses may differ
    assert_same_outputs(trained, expected, "must be the same in training without dropout")


@Check(
    "rows-are-coupled",
    cases=BATCHES,
    skip=lambda subject: (
        None if subject.component.couples_rows else "its rows do not depend on each other"
    ),
    bug="pytorch#70529: a batch norm nobody knew of",
    explicit=True,
)
def rows_are_coupled(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `couples_rows` does couple its valid rows, and only in training."""
    if len(batch.lengths) < 2:
        return
    probe = subject.probe_of(subject.build().train())
    inputs = probe.inputs(batch)
    together = probe.run(inputs)
    alone = subject.probe_of(subject.build().train()).run(inputs.row(0))
    first = {
        name: together.tensors[name][:1, : each.shape[1]] for name, each in alone.tensors.items()
    }
    change = largest_difference(first, alone.tensors)
    assert change > tolerance_of(next(iter(alone.tensors.values()))), (
        "a component whose rows are the same alone must not declare `couples_rows`"
    )


def assert_rows_alone(probe: Probe, batch: RaggedBatch, promise: str) -> None:
    """Compare each row of a batch with itself alone."""
    inputs = probe.inputs(batch)
    together = probe.run(inputs)
    for row, steps in enumerate(together.lengths):
        alone = probe.run(inputs.row(row))
        assert alone.lengths[0] == steps, (
            f"row {row} must have as many steps alone as in a batch: {alone.lengths[0]}, {steps}"
        )
        for name, tensor in alone.tensors.items():
            assert_same(
                together.tensors[name][row, :steps],
                tensor[0, :steps],
                f"`{name}` of row {row} must be {promise}",
            )


@Check(
    "more-padding",
    cases=BATCHES,
    bug="EveryVoice PR#887, NVIDIA/tacotron2#244: losses, and statistics, that count padding",
)
def more_padding(subject: Subject, batch: RaggedBatch) -> None:
    """More padding behind all rows changes no valid output and no loss, in training as well."""
    inputs = subject.probe.inputs(batch)
    for training in (False, True):
        probe = subject.probe_of(subject.trained if training else subject.component)
        plain, wide = probe.run(inputs), probe.run(inputs.wider(3))
        valid = ~plain.padding_mask
        steps = valid.shape[1]
        got = {name: each[:, :steps][valid] for name, each in wide.tensors.items()}
        expected = {name: each[valid] for name, each in plain.tensors.items()}
        assert_same_outputs(
            Outputs(got, plain.padding_mask, wide.losses),
            Outputs(expected, plain.padding_mask, plain.losses),
            "must not change with more padding",
        )


@Check(
    "permutation",
    cases=BATCHES,
    bug="ming024/FastSpeech2#55: a reshape that mixes rows of different lengths",
)
def permutation(subject: Subject, batch: RaggedBatch) -> None:
    """Rows in another order give their results in that order."""
    order = [*range(1, len(batch.lengths)), 0]
    inputs = subject.probe.inputs(batch)
    straight, turned = subject.probe.run(inputs), subject.probe.run(inputs.select(order))
    for name, tensor in straight.tensors.items():
        assert_same(turned.tensors[name], tensor[order], f"`{name}` must follow its row")
