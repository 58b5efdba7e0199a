"""What stands around a model and goes into a file with it: symbols, audio, a vocoder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kokoro_core import KokoroModel
from kokoro_core.contracts import Frontend, NeuralVocoder
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.speaking.vocoding import vocoder_of
from kokoro_core.spec.tree.dump import dump

FORMAT = 1


def frontend_of(model: KokoroModel) -> Frontend | None:
    """Return the frontend of a model's spec, if it has one.

    Raises:
        ValueError: A library that the frontend needs is missing; the symbols go into the file.
    """
    spec = model.spec
    if spec.frontend is None:
        return None
    try:
        return spec.frontend.build(spec.sizes)
    except (ValueError, ModuleNotFoundError, OSError) as error:
        raise ValueError(
            f"The frontend `{spec.frontend.type}`, whose symbols go into the file, cannot be built "
            f"here: {error}"
        ) from error


def neural_vocoder(model: KokoroModel) -> NeuralVocoder:
    """Return the vocoder of a model that can be in a graph, with its weights.

    Raises:
        ValueError: The model has none, or one without weights.
    """
    spec = model.spec
    if spec.vocoder is None or spec.audio is None:
        raise ValueError(
            "The model's spec has no `vocoder` or no `audio`, so its graph cannot end in samples; "
            "export the mel, or set a vocoder with weights such as `hifigan`."
        )
    vocoder = vocoder_of(model)
    if not isinstance(vocoder, NeuralVocoder):
        raise ValueError(
            f"The vocoder `{spec.vocoder.type}` has no weights and cannot be in a graph; export "
            f"the mel, or set a vocoder with weights such as `hifigan`."
        )
    return vocoder.eval()


def described(
    model: KokoroModel, inputs: GraphInputs, frontend: Frontend | None
) -> Mapping[str, Any]:
    """Return what a user of the graph must know beside its inputs, as JSON has it."""
    spec, audio = model.spec, model.spec.audio
    about: dict[str, Any] = {
        "format": FORMAT,
        "name": spec.name,
        "pad_id": spec.pad_id,
        "vocab_size": spec.vocab_size,
        "mel_dim": spec.mel_dim,
        "inputs": {
            each.name: {"of": each.meaning, "default": each.example.tolist()}
            if each.is_option
            else {"of": each.meaning}
            for each in inputs.variable
        },
        "fixed_options": dict(inputs.fixed),
        "spec": dump(spec, model.plugins.components),
    }
    if audio is not None:
        about |= {"sample_rate": audio.sample_rate, "hop_length": audio.hop_length}
    named = {"speakers": spec.speakers, "languages": spec.languages}
    about |= {name: list(each) for name, each in named.items() if each}
    return about if frontend is None else {**about, "symbols": list(frontend.symbols)}


def as_text(about: Mapping[str, Any]) -> str:
    """Return a description as JSON."""
    return json.dumps(about, ensure_ascii=False)
