"""The command ``synthesize``: a checkpoint and a text to a wav."""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.output import print_error, print_json
from kokoro_core.cli.session import session_of
from kokoro_core.cli.toolkit import check_device

if TYPE_CHECKING:
    from kokoro_core.speech import SynthesisResult


class Precision(StrEnum):
    """Precision of the decoder during generation; names as in torch."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"


def synthesize(
    ctx: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint with its spec inside.")],
    text: Annotated[str | None, typer.Argument(help="The text; '-' reads standard input.")] = None,
    out: Annotated[Path, typer.Option(help="The wav to write.")] = Path("out.wav"),
    text_file: Annotated[Path | None, typer.Option(help="Read the text from this file.")] = None,
    speed: Annotated[float, typer.Option(help="Above 1 is faster.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Seed for models that sample.")] = None,
    max_mel_len: Annotated[int, typer.Option(min=1, help="Stop after this many frames.")] = 1000,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    dtype: Annotated[
        Precision | None,
        typer.Option(help="Precision of the decoder, if not the model's; fewer bits are faster."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Synthesize a text with a trained model to a 16-bit wav.

    Exits with status 1 if words are missing or certainly misread, even though a file was written.
    """
    words = read_text(text, text_file)
    check_out(out)
    import torch

    from kokoro_core.api import KokoroModel
    from kokoro_core.speech import speak, write_wav

    check_device(device)
    model = KokoroModel.load(checkpoint, device=device, plugins=session_of(ctx).plugins)
    started = time.perf_counter()
    result = speak(
        model,
        words,
        dtype=None if dtype is None else getattr(torch, dtype),
        speed=speed,
        seed=seed,
        max_mel_len=max_mel_len,
    )
    seconds = time.perf_counter() - started
    write_wav(out, result.samples, result.sample_rate)
    if as_json:
        print_json({"file": str(out), **figures(result, seconds)})
    else:
        print(f"{out}: {summary(result, seconds)}")
    problems = [*result.notes] if result.loss is None else [result.loss, *result.notes]
    for each in problems:
        print_error(f"{out}: {each}")
    if problems:
        raise typer.Exit(1)


def figures(result: SynthesisResult, seconds: float) -> dict[str, Any]:
    """Return the figures of a synthesized text as JSON values."""
    return {
        "audio_seconds": result.audio_seconds,
        "frames": result.frames,
        "planned_frames": result.planned_frames,
        "stop_reason": result.stop_reason,
        "is_complete": result.is_complete,
        "unspoken": result.unspoken,
        "notes": list(result.notes),
        "wall_seconds": seconds,
        "times_real_time": result.audio_seconds / seconds,
    }


def summary(result: SynthesisResult, seconds: float) -> str:
    """Return the figures of a synthesized text in words."""
    return (
        f"{result.audio_seconds:.2f} s of speech ({result.frames} frames), "
        f"ended by {result.stop_reason}, made in {seconds:.2f} s "
        f"({result.audio_seconds / seconds:.1f} times real time)"
    )


def read_text(text: str | None, file: Path | None) -> str:
    """Return the text from the argument, a file or standard input.

    Raises:
        ValueError: There is no text, or there are two, or it is not UTF-8.
    """
    if (text is None) == (file is None):
        raise ValueError("`synthesize` needs one text: as an argument, '-' or --text-file FILE.")
    if file is None and text != "-":
        return str(text)
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        source = "The standard input" if file is None else f"`{file}`"
        raise ValueError(f"{source} must be UTF-8 text, but byte {error.start} is not.") from None


def check_out(out: Path) -> None:
    """Reject a file that cannot be written as a wav, before any work is done for it.

    Raises:
        FileNotFoundError: The folder does not exist.
        PermissionError: The folder or the file is not writable.
        ValueError: The file is a folder, or does not have the suffix of a wav.
    """
    if out.is_dir() or out.suffix.lower() != ".wav":
        raise ValueError(f"`--out {out}` must be a file that ends in .wav.")
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(f"`--out {out}`: the folder `{out.parent}` does not exist.")
    if not os.access(out if out.exists() else out.absolute().parent, os.W_OK):
        raise PermissionError(f"`--out {out}` may not be written; give another file.")
