"""The command ``synthesize``: a checkpoint and a text → a wav."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.output import print_json
from kokoro_core.cli.session import session_of

if TYPE_CHECKING:
    from torch import Tensor

    from kokoro_core.api import KokoroModel


class Precision(StrEnum):
    """What the decoder is in while it speaks; named as torch names them."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"


def synthesize(
    ctx: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint with its spec inside.")],
    text: Annotated[
        str | None, typer.Argument(help="What to say; '-' reads the standard input.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The wav to write.")] = Path("out.wav"),
    text_file: Annotated[Path | None, typer.Option(help="Read the text from this file.")] = None,
    speed: Annotated[float, typer.Option(help="Above 1 is faster.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Seed of models that draw numbers.")] = None,
    max_mel_len: Annotated[int, typer.Option(min=1, help="Stop after this many frames.")] = 1000,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    dtype: Annotated[
        Precision | None,
        typer.Option(help="Precision of the decoder, if not the model's; fewer bits are faster."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Speak a text with a trained model and write a 16-bit wav."""
    words = read_text(text, text_file)
    check_folder(out)
    from kokoro_core.api import KokoroModel

    check_device(device)
    model = KokoroModel.load(checkpoint, device=device, plugins=session_of(ctx).plugins)
    options = {"speed": speed, "seed": seed, "max_mel_len": max_mel_len}
    spoken = speak(model, words, dtype=dtype, **options)
    write_wav(out, spoken.samples, spoken.sample_rate)
    if as_json:
        print_json({"file": str(out), **spoken.report()})
    else:
        print(f"{out}: {spoken}")


def read_text(text: str | None, file: Path | None) -> str:
    """Return the text from the argument, a file or the standard input.

    Raises:
        ValueError: There is no text, or there are two.
    """
    if (text is None) == (file is None):
        raise ValueError("`synthesize` needs one text: as an argument, '-' or --text-file FILE.")
    if file is not None:
        return file.read_text(encoding="utf-8")
    assert text is not None
    return sys.stdin.read() if text == "-" else text


def check_folder(out: Path) -> None:
    """Refuse a file that cannot be a wav in an existing folder, before any work is done for it.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The file is a folder, or its suffix says that it is no wav.
    """
    if out.is_dir() or out.suffix.lower() != ".wav":
        raise ValueError(f"`--out {out}` must be a file that ends in .wav.")
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(f"`--out {out}`: the folder `{out.parent}` does not exist.")


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        ValueError: Its name is wrong, or it is not there.
    """
    import torch

    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    kind = device.partition(":")[0]
    if not there.get(kind, False):
        names = ", ".join(name for name, available in there.items() if available)
        raise ValueError(f"`--device {device}` is not on this machine; it has {names}.")


@dataclass(frozen=True)
class Spoken:
    """A spoken text and how it came about."""

    samples: Tensor
    sample_rate: int
    frames: int
    stop_reason: str
    wall_seconds: float

    @property
    def audio_seconds(self) -> float:
        """The length of the speech."""
        return len(self.samples) / self.sample_rate

    def report(self) -> dict[str, Any]:
        """Return the figures as values that JSON has."""
        return {
            "audio_seconds": self.audio_seconds,
            "frames": self.frames,
            "stop_reason": self.stop_reason,
            "wall_seconds": self.wall_seconds,
            "times_real_time": self.audio_seconds / self.wall_seconds,
        }

    def __str__(self) -> str:
        return (
            f"{self.audio_seconds:.2f} s of speech ({self.frames} frames), "
            f"ended by {self.stop_reason}, made in {self.wall_seconds:.2f} s "
            f"({self.audio_seconds / self.wall_seconds:.1f} times real time)"
        )


def speak(
    model: KokoroModel, text: str, *, dtype: Precision | None = None, **options: Any
) -> Spoken:
    """Turn a text into sound with the frontend and the vocoder of the model's spec.

    Args:
        model: Who speaks.
        text: What is said.
        dtype: The precision of the decoder; None: the model's.
        **options: As `KokoroModel.generate` takes them.

    Raises:
        ValueError: The spec has no frontend, no vocoder or no audio section.
        FrontendError: The text has nothing to speak, or something that has no symbol.
    """
    import torch

    spec = model.spec
    if spec.frontend is None or spec.vocoder is None or spec.audio is None:
        raise ValueError(
            "The model's spec has no `frontend`, `vocoder` or `audio`; a model that is to speak "
            "from text needs all three."
        )
    indices = spec.frontend.build(spec.sizes).encode(text)
    vocoder = spec.vocoder.build(spec.audio)
    vocoder.check_audio(spec.audio)
    phonemes = torch.tensor([indices], device=next(model.parameters()).device)
    started = time.perf_counter()
    precision = None if dtype is None else getattr(torch, dtype)
    result = model.generate(phonemes, dtype=precision, **options)
    mel = result.mel.float() * spec.audio.std + spec.audio.mean
    samples = vocoder.decode(mel.cpu(), result.lengths.cpu())[0]
    seconds = time.perf_counter() - started
    frames = int(result.lengths[0])
    reason = str(result.stop_reasons[0])
    return Spoken(samples, spec.audio.sample_rate, frames, reason, seconds)


def write_wav(path: Path, samples: Tensor, sample_rate: int) -> None:
    """Write samples in [-1, 1] as a mono 16-bit wav."""
    import wave

    import torch

    whole = torch.round(samples.clamp(-1, 1) * 32767).to(torch.int16)
    with path.open("wb") as target, wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(whole.numpy().astype("<i2").tobytes())
