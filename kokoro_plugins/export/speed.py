"""How fast a voice speaks in each runtime, measured in one run on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from kokoro_core import KokoroModel
from kokoro_core.speaking.vocoding import samples_of
from kokoro_plugins.export.around import frontend_of
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.lexicon import make_lexicon
from kokoro_plugins.export.runner import Runner
from kokoro_plugins.export.sherpa_graph import tokens_of
from kokoro_plugins.export.to_onnx import Precision
from kokoro_plugins.export.to_sherpa import MODEL, SherpaVoice

Speaker = Callable[[str], int]
"""Speaks a text and returns the number of samples."""


@dataclass(frozen=True)
class Speed:
    """How fast a voice speaks in a runtime.

    Attributes:
        runtime: Its name.
        real_time_factor: Seconds of computation for a second of sound.
        size: Bytes of the graph; None: the checkpoint itself.
    """

    runtime: str
    real_time_factor: float
    size: int | None


def measure_speed(model: KokoroModel, texts: Sequence[str], rounds: int = 5) -> list[Speed]:
    """Return how fast a voice speaks texts as a checkpoint, in onnxruntime and in sherpa-onnx.

    All take turns, so that what else the machine does meets each alike; the median round counts.

    Args:
        model: With a vocoder that has weights.
        texts: Sentences without marks between words.
        rounds: How often each speaks all texts.

    Raises:
        ExportError: The model cannot be exported.
        ValueError: The model has no frontend or no vocoder with weights.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with TemporaryDirectory() as place:
            speakers, sizes = _speakers(model, Path(place), texts)
            factors = _factors(speakers, texts, rounds, _rate(model))
    finally:
        torch.set_num_threads(threads)
    return [Speed(name, median(each), sizes.get(name)) for name, each in factors.items()]


def _rate(model: KokoroModel) -> int:
    assert model.spec.audio is not None
    return model.spec.audio.sample_rate


def _factors(
    speakers: Mapping[str, Speaker], texts: Sequence[str], rounds: int, rate: int
) -> dict[str, list[float]]:
    """Return the real-time factors of each round by runtime; a round before warms them up."""
    found: dict[str, list[float]] = {name: [] for name in speakers}
    for number in range(rounds + 1):
        for name, speak in speakers.items():
            started = time.perf_counter()
            samples = sum(speak(each) for each in texts)
            taken = time.perf_counter() - started
            if number:
                found[name].append(taken * rate / samples)
    return found


def _speakers(
    model: KokoroModel, place: Path, texts: Sequence[str]
) -> tuple[dict[str, Speaker], dict[str, int]]:
    """Return what speaks in each runtime, and the sizes of their graphs."""
    speakers: dict[str, Speaker] = {"checkpoint": _of_checkpoint(model)}
    files: dict[str, Path] = {}
    frontend = frontend_of(model)
    precisions: tuple[Precision, ...] = ("float32", "int8")
    for precision in precisions:
        file = place / f"{precision}.onnx"
        name = f"ONNX {precision}"
        export_model(model, file, to="onnx", samples=True, precision=precision)
        files[name] = file
        speakers[name] = _of_runner(Runner(file, threads=1), model)
    words = " ".join(texts)
    export_model(model, place / "sherpa", to="sherpa", words=words, texts=texts[:1])
    assert frontend is not None
    between = make_lexicon(frontend, words).between
    tokens = tokens_of(frontend.symbols, model.spec.pad_id, between)
    files["sherpa-onnx"] = place / "sherpa" / MODEL
    speakers["sherpa-onnx"] = _of_sherpa(SherpaVoice(place / "sherpa", tokens))
    return speakers, {name: each.stat().st_size for name, each in files.items()}


def _of_checkpoint(model: KokoroModel) -> Speaker:
    frontend, samples = frontend_of(model), samples_of(model)
    assert frontend is not None

    def speak(text: str) -> int:
        made = model.generate(torch.tensor([frontend.encode(text)]))
        return samples(made).shape[1]

    return speak


def _of_runner(runner: Runner, model: KokoroModel) -> Speaker:
    frontend = frontend_of(model)
    assert frontend is not None
    return lambda text: int(runner.speak(frontend.phonemize(text))["samples"].shape[1])


def _of_sherpa(voice: SherpaVoice) -> Speaker:
    return lambda text: voice.speak(text, 1.0).shape[1]
