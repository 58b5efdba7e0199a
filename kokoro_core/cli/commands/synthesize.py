"""The command ``synthesize``: a checkpoint and texts to files of sound."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.around import overrides_around, set_around
from kokoro_core.cli.collector import uncollected
from kokoro_core.cli.from_settings import Given, with_options_of
from kokoro_core.cli.session import session_of
from kokoro_core.cli.speaking_options import SpeakingOptions, VoiceOptions
from kokoro_core.cli.spoken_files import DEFAULT_OUT, rows_of
from kokoro_core.cli.spoken_table import Row
from kokoro_core.cli.spoken_tasks import Task, speak_all
from kokoro_core.cli.toolkit import SetOption, check_device

if TYPE_CHECKING:
    from kokoro_core.api import KokoroModel


class Precision(StrEnum):
    """Precision of the decoder during generation; names as in torch."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"


@with_options_of(VoiceOptions, SpeakingOptions)
def synthesize(
    ctx: typer.Context,
    *,
    given: Given,
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint with its spec inside.")],
    text: Annotated[str | None, typer.Argument(help="The text; '-' reads standard input.")] = None,
    out: Annotated[
        Path, typer.Option(help="A .wav, .flac, .ogg or .mp3; '-': raw samples as they come.")
    ] = DEFAULT_OUT,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "--text-file", help="Read the text from this file; a .csv has a text a row."
        ),
    ] = None,
    phonemes: Annotated[
        bool, typer.Option("--phonemes", help="The text is symbols with blanks between them.")
    ] = False,
    timings: Annotated[
        Path | None, typer.Option(help="A .json or .vtt with the time of each word.")
    ] = None,
    settings: SetOption = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    dtype: Annotated[
        Precision | None,
        typer.Option(help="Precision of the decoder, if not the model's; fewer bits are faster."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Synthesize texts with a trained model, sentence by sentence.

    Exits with status 1 if words are missing or certainly misread, even though a file was written.
    """
    rows = rows_of(text, file, out, timings)
    overrides = overrides_around(settings or [], "synthesize")
    with uncollected(freeze=True):
        import torch

        from kokoro_core.speaking.loading import load_to_speak
        from kokoro_core.speech import TextToSpeech

        check_device(device)
        plugins = session_of(ctx).plugins
        model = load_to_speak(checkpoint, device=device, plugins=plugins)
        set_around(model, overrides)
        voiced = TextToSpeech(model)
    _check_timings(model, timings)
    voice, speaking = given.make(VoiceOptions), given.make(SpeakingOptions)
    precision = None if dtype is None else getattr(torch, dtype)

    def task(row: Row) -> Task:
        options = {**speaking.of_row(row), **voice.of_row(row, model.spec)}
        options |= {"phonemes": phonemes, "dtype": precision}
        return Task(row.text, row.file, timings, options)

    is_table = file is not None and file.suffix.lower() == ".csv"
    tasks = [_unless_wrong(row, task) if is_table else task(row) for row in rows]
    speak_all(voiced, tasks, as_json=as_json, is_table=is_table)


def _unless_wrong(row: Row, task: Callable[[Row], Task]) -> Task:
    """Return the task of a row of a table, or one that says what is wrong with it."""
    try:
        if row.problem is not None:
            raise ValueError(row.problem)
        return task(row)
    except ValueError as error:
        return Task(row.text, row.file, None, {}, str(error))


def _check_timings(model: KokoroModel, timings: Path | None) -> None:
    if timings is not None and model.spec.duration_predictor is None:
        raise ValueError(
            f"`--timings` needs the durations of phonemes, but `{model.spec.name}` plans none."
        )
