"""A part that declares that it cannot be exported is named before anything is traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kokoro_core.errors import ExportError
from kokoro_core.exporting import parallel, stepping
from kokoro_core.exporting.declared import refuse_declared
from kokoro_core.exporting.inputs import graph_inputs
from kokoro_core.params.capabilities import Capabilities
from kokoro_plugins.export.export import export_model
from kokoro_plugins.tacotron.params import ConvPostnetParams
from kokoro_plugins.transformer.params import TransformerEncoderParams
from tests.kokoro_core.exporting.small import NARROW, small_model, small_parallel


@pytest.fixture
def declaring(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what lets a params class declare that it cannot be exported."""

    def declaring_(kind: type[Any], **more: Any) -> None:
        said = Capabilities(exportable=False, **more)
        monkeypatch.setattr(kind, "capabilities", property(lambda _: said))

    return declaring_


def test_a_model_whose_parts_declare_nothing_like_it_is_not_refused() -> None:
    refuse_declared(small_parallel().spec)


def test_the_part_and_its_reason_are_named_and_nothing_is_written(
    declaring: Any, tmp_path: Path
) -> None:
    declaring(TransformerEncoderParams, export_obstacle="it asks a library")
    said = (
        r"`encoder` \(`transformer`\) cannot be exported, because it asks a library: its settings "
        r"declare `exportable=False`. Nothing was written; the checkpoint speaks all the same."
    )
    with pytest.raises(ExportError, match=said):
        export_model(small_parallel(), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


def test_a_part_without_a_reason_is_named(declaring: Any) -> None:
    declaring(ConvPostnetParams)
    model = small_parallel(postnet={"type": "conv"})
    with pytest.raises(ExportError, match=r"`postnet` \(`conv`\) cannot be exported: its settings"):
        refuse_declared(model.spec)


@pytest.mark.parametrize(("name", "trace"), [("parallel", "parallel"), ("small", "steps")])
def test_no_way_to_a_graph_goes_around_it(declaring: Any, name: str, trace: str) -> None:
    model = small_model(name, **NARROW)
    declaring(TransformerEncoderParams)
    traced: Any = parallel.trace_parallel if trace == "parallel" else stepping.trace_steps
    with pytest.raises(ExportError, match="`encoder`"):
        traced(model, graph_inputs(model, {}, 11))


def test_an_aligner_is_in_no_graph(declaring: Any) -> None:
    model = small_model("matcha-small", frontend=None, vocoder=None)
    assert model.spec.aligner is not None
    declaring(type(model.spec.aligner))
    refuse_declared(model.spec)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("encoder", "allow 5 phonemes, and a graph needs at least 11; `max_len` of their"),
        ("decoder", "allow 1 frames, and a graph needs at least 2"),
    ],
)
def test_positions_that_end_too_soon_are_told(part: str, said: str) -> None:
    short = {"type": "sinusoidal", "max_len": 5 if part == "encoder" else 1}
    model = small_parallel(**{f"{part}.positional_encoding": short})
    with pytest.raises(ExportError, match=said):
        parallel.trace_parallel(model, graph_inputs(model, {}, 11))
