"""Each check of a whole model finds a model that is broken where its parts are put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from kokoro_core.api import KokoroModel
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.spec.load import load_spec
from kokoro_core.testing.checks import CONFORMANCE_VERSION, checks_of
from kokoro_core.testing.engine.levels import level_named
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from kokoro_core.testing.subjects.model_subject import ModelSubject, small_model

pytestmark = pytest.mark.same_everywhere


def hidden_with_a_mean_of_the_batch(patch):
    honest = AcousticModel.encode

    def encode(self, *args):
        made = honest(self, *args)
        return replace(made, hidden=made.hidden + 1e-3 * made.hidden.mean())

    patch.setattr(AcousticModel, "encode", encode)


def losses_that_count_padding(patch):
    honest = AcousticModel.forward

    def forward(self, batch, noise=None):
        made = honest(self, batch, noise)
        factor = batch.mel_padding_mask.shape[1] / int(batch.lengths.max())
        return type(made)(**{**vars(made), "mel": made.mel * factor})

    patch.setattr(AcousticModel, "forward", forward)


def frames_that_depend_on_the_number_of_rows(patch):
    honest = AcousticModel.predict_frames

    def predict_frames(self, hidden, *args):
        frames = honest(self, hidden, *args)
        assert frames is not None
        return frames * len(hidden)

    patch.setattr(AcousticModel, "predict_frames", predict_frames)


def a_loop_that_does_not_begin_with_a_zero_frame(patch):
    from kokoro_plugins.transformer.decoder import TransformerDecoder

    honest = TransformerDecoder.step
    patch.setattr(
        TransformerDecoder, "step", lambda self, frames, state: honest(self, frames + 0.1, state)
    )


def a_stream_without_its_first_chunk(patch):
    honest = KokoroModel.stream

    def stream(self, *args, **options):
        pieces = honest(self, *args, **options)
        next(pieces)
        yield from pieces

    patch.setattr(KokoroModel, "stream", stream)


def speed_the_wrong_way_round(patch):
    honest = KokoroModel.generate

    def generate(self, *args, speed=1.0, **options):
        return honest(self, *args, speed=1 / speed, **options)

    patch.setattr(KokoroModel, "generate", generate)


def speaking_that_leaves_the_model_in_evaluation(patch):
    honest = KokoroModel.generate

    def generate(self, *args, **options):
        return honest(self.eval(), *args, **options)

    patch.setattr(KokoroModel, "generate", generate)


def speaking_that_draws_a_number(patch):
    honest = KokoroModel.generate

    def generate(self, *args, **options):
        torch.rand(1)
        return honest(self, *args, **options)

    patch.setattr(KokoroModel, "generate", generate)


def a_file_that_loses_a_weight(patch):
    honest = KokoroModel.load

    def load(*args, **options):
        model = honest(*args, **options)
        with torch.no_grad():
            next(model.acoustic.decoder.parameters()).zero_()
        return model

    patch.setattr(KokoroModel, "load", load)


def a_graph_whose_steps_hear_something_else(patch):
    from kokoro_plugins.transformer.decoder import TransformerDecoder

    honest = TransformerDecoder.step

    def step(self, frames, state):
        return honest(self, frames + 0.1 * torch.compiler.is_exporting(), state)

    patch.setattr(TransformerDecoder, "step", step)


MUTANTS = [
    ("model-rows", hidden_with_a_mean_of_the_batch),
    ("model-losses", losses_that_count_padding),
    ("speaking-rows", frames_that_depend_on_the_number_of_rows),
    ("speaking-is-training", a_loop_that_does_not_begin_with_a_zero_frame),
    ("stream", a_stream_without_its_first_chunk),
    ("durations-of-speech", speed_the_wrong_way_round),
    ("speaking-is-pure", speaking_that_leaves_the_model_in_evaluation),
    ("speaking-is-pure", speaking_that_draws_a_number),
    ("model-file", a_file_that_loses_a_weight),
    ("export-model", a_graph_whose_steps_hear_something_else),
]
CHECKS = {each.id: each for each in checks_of("model")}


@pytest.mark.parametrize(("check", "mutant"), MUTANTS, ids=[each.__name__ for _, each in MUTANTS])
def test_a_broken_model_is_found_by_the_check_that_is_meant_for_it(check, mutant, monkeypatch):
    mutant(monkeypatch)
    subject = ModelSubject(small_model(load_spec("default")).spec, "default")
    level = level_named("fast" if CHECKS[check].dear == 1 else "ci")
    result = run_check(
        cast("Any", subject), CHECKS[check], CheckPlan(level, seed=0, version=CONFORMANCE_VERSION)
    )
    assert result.status == "failed"
    assert "it raised" not in result.reason
    assert result.replay.startswith(f"kokoro-core conformance default --check {check}")


def test_every_check_of_a_model_has_a_mutant():
    assert {check for check, _ in MUTANTS} == set(CHECKS)
