"""The command ``export``: a checkpoint to a file of another runtime."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.toolkit import JsonOption, print_json, print_table, session_of

if TYPE_CHECKING:
    from kokoro_plugins.export.report import ExportReport
    from kokoro_plugins.export.to_onnx import Precision


class Runtime(StrEnum):
    """What the file is for."""

    TORCH = "torch"
    ONNX = "onnx"
    SHERPA = "sherpa"


def export(
    ctx: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint with its spec inside.")],
    out: Annotated[
        Path, typer.Argument(help="A .pt2 for torch, a .onnx for onnx, a folder for sherpa.")
    ],
    to: Annotated[Runtime, typer.Option("--to", help="The runtime.")],
    samples: Annotated[
        bool, typer.Option("--samples", help="With the vocoder inside: phonemes to samples.")
    ] = False,
    half: Annotated[bool, typer.Option("--half", help="ONNX that computes in float16.")] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="ONNX with matrix products of int8 weights.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="PART.NAME=NUMBER", help="Fix an option, such as decoder.steps=4."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Compare on this text too; can be repeated.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="A text whose words are the lexicon of sherpa.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a trained model as a file of another runtime.

    What is written is loaded there and compared with the checkpoint, on random phonemes and on a
    text, at other lengths than it was traced with; the largest difference is printed. A part that
    cannot be exported is named with the line and the reason, and nothing is written.
    """
    if half and int8:
        raise ValueError("`--half` and `--int8` are two precisions; choose one.")
    precision: Precision = "float16" if half else "int8" if int8 else "float32"
    options = dict(_number(each) for each in option or ())
    if (to is Runtime.SHERPA) != (words is not None):
        raise ValueError("`--words FILE` is the text whose words `--to sherpa` has a lexicon of.")
    from kokoro_core.speaking.loading import load_to_speak
    from kokoro_plugins.export.export import export_model

    model = load_to_speak(checkpoint, plugins=session_of(ctx).plugins)
    with ending_at_sigterm():
        report = export_model(
            model,
            out,
            to=to.value,
            samples=samples,
            precision=precision,
            options=options,
            texts=text or (),
            words=words.read_text(encoding="utf-8") if words else "",
        )
    if as_json:
        print_json(report.as_dict())
    else:
        _show(report)


def export_speed(
    ctx: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="A voice with its vocoder inside.")],
    texts: Annotated[Path, typer.Argument(help="Sentences, one a line, without marks in them.")],
    rounds: Annotated[int, typer.Option(min=1, help="How often all are spoken.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast a voice speaks in each runtime that it can be exported to.

    On one thread, the runtimes taking turns; the median round counts.
    """
    from kokoro_core.speaking.loading import load_to_speak
    from kokoro_plugins.export.speed import measure_speed

    model = load_to_speak(checkpoint, plugins=session_of(ctx).plugins)
    lines = [each.strip() for each in texts.read_text(encoding="utf-8").splitlines()]
    found = measure_speed(model, [each for each in lines if each], rounds)
    if as_json:
        print_json([vars(each) for each in found])
        return
    rows = [
        (
            each.runtime,
            f"{each.real_time_factor:.4f}",
            f"{1 / each.real_time_factor:.0f}",
            "" if each.size is None else f"{each.size / 1e6:.1f}",
        )
        for each in found
    ]
    print_table(("runtime", "real-time factor", "times real time", "MB"), rows)


@contextmanager
def ending_at_sigterm() -> Iterator[None]:
    """End the block by an exception at SIGTERM, so that an unfinished file is removed."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _number(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(
            f"`--option` must be PART.NAME=NUMBER, such as decoder.steps=4, not {text!r}."
        ) from None


def _show(report: ExportReport) -> None:
    rows = [
        (each.of, str(each.phonemes), str(each.frames or "?"), f"{each.largest:.2e}")
        for each in report.differences
    ]
    print_table(("compared on", "phonemes", "frames", "largest difference"), rows)
    for file in report.files:
        print(f"{file}: {file.stat().st_size:,} bytes")
    left_out = report.facts.get("words_left_out")
    if left_out:
        print(f"words that the frontend cannot read: {', '.join(left_out)}")
    off = sum(each.durations_off for each in report.differences)
    if off:
        phonemes = sum(each.phonemes for each in report.differences)
        print(f"other durations than the checkpoint's: {off} of {phonemes} phonemes")
    print(f"largest difference from the checkpoint: {report.largest:.2e}")
