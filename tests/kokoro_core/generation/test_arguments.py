"""What `generate` and `stream` take is listed once, and said where one looks for it."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.generation import GenerationOptions

OF_A_REQUEST = ("self", "phoneme_indices", "padding_mask", "durations", "seed", "extras")
SMALL = {"hidden_dim": 16, "encoder.num_layers": 1, "decoder.num_layers": 1}


def test_both_ways_to_speak_take_the_same_arguments():
    generate, stream = map(inspect.signature, (KokoroModel.generate, KokoroModel.stream))
    assert generate.parameters == stream.parameters
    assert (generate.return_annotation, stream.return_annotation) == (
        "Generation",
        "Iterator[Tensor]",
    )


def test_every_option_is_a_keyword_and_none_is_what_the_spec_says():
    parameters = dict(inspect.signature(KokoroModel.generate).parameters)
    for name in OF_A_REQUEST:
        parameters.pop(name)
    defaults = {name: each.default for name, each in parameters.items()}
    of_parts = {"of_parts": "options"}
    names = [of_parts.get(each.name, each.name) for each in fields(GenerationOptions)]
    assert defaults == dict.fromkeys(names)
    assert {each.kind for each in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_every_option_arrives_and_a_wrong_one_is_refused_at_the_call():
    model = KokoroModel.from_spec("small", overrides=SMALL).eval()
    given: dict[str, Any] = {
        "speed": 2.0,
        "min_frames": 3,
        "max_mel_len": 7,
        "stop_threshold": 0.25,
        "length_ratio": 1.5,
        "chunk_frames": 4,
        "max_seconds": 9.0,
        "dtype": torch.float64,
    }
    request = model.request(torch.ones(1, 2).long(), **given)
    assert vars(request.options) == {**given, "of_parts": {}}
    assert request.defaults == GenerationOptions()
    with pytest.raises(ValueError, match="`max_mel_len` must be 1 or more, not 0"):
        model.stream(torch.ones(1, 2).long(), max_mel_len=0)
