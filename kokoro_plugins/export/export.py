"""`export_model`: a model to a file of another runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from kokoro_core import KokoroModel
from kokoro_core.contracts import ParallelDecoder
from kokoro_core.errors import ExportError
from kokoro_core.exporting.declared import refuse_declared
from kokoro_core.exporting.inputs import graph_inputs
from kokoro_core.exporting.planning import EXAMPLE
from kokoro_plugins.export.around import described, frontend_of, neural_vocoder
from kokoro_plugins.export.place import refuse_place
from kokoro_plugins.export.report import ExportReport
from kokoro_plugins.export.to_onnx import Precision, export_onnx
from kokoro_plugins.export.to_sherpa import export_sherpa
from kokoro_plugins.export.to_steps import export_steps
from kokoro_plugins.export.to_torch import export_torch
from kokoro_plugins.export.trials import make_trials

Kind = Literal["torch", "onnx", "sherpa"]


def export_model(
    model: KokoroModel,
    out: str | os.PathLike[str],
    *,
    to: Kind = "torch",
    samples: bool = False,
    precision: Precision = "float32",
    options: Mapping[str, float] | None = None,
    texts: Sequence[str] = (),
    words: str = "",
) -> ExportReport:
    """Write a model as a file of another runtime, run that, and compare it with the model.

    The file is there only if the comparison succeeds.

    Args:
        model: In evaluation mode, in float32 on the CPU, as `KokoroModel.load` returns it.
        out: The file; of ``sherpa`` the folder.
        to: ``torch``, an `ExportedProgram` (.pt2); ``onnx``, one graph; ``sherpa``, a folder that
            sherpa-onnx speaks; of a parallel model.
        samples: Whether the vocoder is inside, so that samples come out and no mel; for ``sherpa``
            it always is.
        precision: What an ONNX graph computes in; ``int8``: the weights of its matrix products.
        options: Options of the parts that are numbers of the graph and no inputs, such as
            ``{"decoder.steps": 4}``; whole ones always are.
        texts: Compared beside random phonemes; none: a sentence, if the model's frontend reads it.
        words: A text whose words are the lexicon of ``sherpa``.

    Raises:
        ExportError: A part cannot be in a graph, or what was written is not the model.
        ValueError: An argument does not fit the model.
    """
    refuse_place(Path(out), to)
    _refuse_training(model)
    refuse_declared(model.spec)
    is_parallel = isinstance(model.acoustic.decoder, ParallelDecoder)
    if not is_parallel and to != "onnx":
        raise ExportError(
            f"`decoder` (`{type(model.acoustic.decoder).__name__}`) is autoregressive, and one "
            f"graph makes all frames at once; `{to}` is for parallel decoders, `onnx` for all."
        )
    if precision != "float32" and to == "torch":
        raise ValueError(f"`{precision}` is a precision of `onnx`; `{to}` is in float32.")
    if (to == "sherpa") != bool(words):
        raise ValueError("`words` are those of the lexicon of `sherpa`, which needs some.")
    inputs = graph_inputs(model, options or {}, EXAMPLE)
    frontend = frontend_of(model)
    makes_samples = samples or (to == "sherpa" and model.acoustic.wiring.samples is None)
    vocoder = neural_vocoder(model) if makes_samples else None
    about = described(model, inputs, frontend)
    if to == "sherpa":
        return export_sherpa(
            model, Path(out), inputs, vocoder, about, precision, frontend, words, texts
        )
    trials = make_trials(model, inputs, frontend, texts)
    if to == "onnx":
        export = export_onnx if is_parallel else export_steps
        return export(model, Path(out), inputs, vocoder, trials, about, precision)
    return export_torch(model, Path(out), inputs, vocoder, trials, about)


def _refuse_training(model: KokoroModel) -> None:
    if model.training:
        raise ValueError("The model is in training mode; call `model.eval()` before `export`.")
    first = next(model.parameters())
    if first.device.type != "cpu" or str(first.dtype) != "torch.float32":
        raise ValueError(
            f"The model must be in float32 on the CPU to be exported, not in {first.dtype} on "
            f"{first.device}; `model.float().cpu()` moves it."
        )
