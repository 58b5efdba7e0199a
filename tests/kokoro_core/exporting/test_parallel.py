"""A parallel model is one graph for any number of phonemes and frames."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.export import ExportedProgram

from kokoro_core import KokoroModel
from kokoro_core.exporting.inputs import graph_inputs
from kokoro_core.exporting.parallel import ParallelGraph, finished, trace_parallel
from kokoro_core.exporting.planning import most_frames, most_phonemes
from tests.kokoro_core.exporting.small import small_parallel

MAX_LEN = 200


@pytest.fixture(scope="module")
def model() -> KokoroModel:
    positions = {"type": "sinusoidal", "max_len": MAX_LEN}
    return small_parallel(**{"decoder.positional_encoding": positions})


@pytest.fixture(scope="module")
def program(model: KokoroModel) -> ExportedProgram:
    return trace_parallel(model, graph_inputs(model, {}, 11))


def phonemes(num: int, seed: int = 0) -> Tensor:
    return torch.randint(1, 63, (1, num), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("num", "speed"), [(2, 1.0), (5, 0.8), (23, 1.25), (40, 1.0)])
def test_a_program_makes_of_other_lengths_what_the_model_makes(model, program, num, speed):
    indices = phonemes(num)
    got = program.module()(phoneme_indices=indices, speed=torch.tensor([speed]), given={})
    expected = model.generate(indices, speed=speed)
    assert torch.equal(got["durations"], expected.durations)
    assert len({*expected.durations[0].tolist()}) > 1 or num < 5
    audio = model.spec.audio
    assert audio is not None
    torch.testing.assert_close(
        got["mel"], expected.mel * audio.std + audio.mean, rtol=1e-5, atol=1e-5
    )


def test_a_program_refuses_more_frames_than_there_are_positions(model, program):
    assert most_frames(model.acoustic) == MAX_LEN
    slow = torch.tensor([0.1])
    with pytest.raises(RuntimeError, match=f"<= {MAX_LEN}"):
        program.module()(phoneme_indices=phonemes(40), speed=slow, given={})


def test_positions_of_the_encoder_bound_the_phonemes(model, program):
    assert most_phonemes(model.acoustic) == 5000
    [bounds] = [each for each in program.range_constraints.values() if each.upper == MAX_LEN]
    assert bounds.lower == 2


def test_frames_without_audio_settings_come_out_as_the_decoder_makes_them(model):
    bare = small_parallel(**{"audio": None, "vocoder": None, "frontend": None})
    mel = torch.randn(1, 3, 80)
    assert torch.equal(finished(bare, mel, None)["mel"], mel)


def test_a_graph_has_the_tensors_of_a_model_once(model):
    graph = ParallelGraph(model, graph_inputs(model, {}, 11))
    expected = {f"acoustic.{name}" for name in model.acoustic.state_dict()}
    assert graph.state_dict().keys() == expected
