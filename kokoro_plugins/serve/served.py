"""A model under a name: what a request may ask of it, and the options that a request means."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch

from kokoro_core import KokoroModel
from kokoro_core.contracts import ParallelDecoder
from kokoro_core.generation import can_replace_rows
from kokoro_core.params.features import Feature
from kokoro_core.spec.rules.intake import given_features
from kokoro_core.spec.rules.names import NAMED, checked_options, options_of
from kokoro_core.speech import TextToSpeech
from kokoro_core.tensors.compiled import original
from kokoro_plugins.serve.problems import ApiError
from kokoro_plugins.serve.request import SpeechRequest
from registry.text import suggestion

ONLY_VOICE = "default"
"""The voice of a model whose speakers have no names."""

PITCH = "pitch.control"

BATCH = 8
"""Sentences that are spoken at once where that pays."""


@dataclass(frozen=True)
class Options:
    """How a text is spoken.

    Attributes:
        shared: Keywords of `generate` that must be equal in a batch.
        rows: Features, a value for the row of the text.
    """

    shared: Mapping[str, Any]
    rows: Mapping[str, Any]

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What texts of one batch have in common."""
        shared = {**self.shared, "options": tuple(sorted(self.shared["options"].items()))}
        return (*sorted(shared.items()), tuple(sorted(self.rows)))

    @property
    def of_steps(self) -> tuple[tuple[str, float], ...]:
        """What texts have in common of which sentences are spoken step by step together."""
        return tuple(sorted(self.shared["options"].items()))


@final
class ServedModel:
    """A model that is spoken with by requests.

    Args:
        name: What requests call it.
        model: In eval mode.

    Attributes:
        makes_place: Whether a sentence that ends makes place for another while its neighbours go
            on.

    Raises:
        ValueError: It cannot speak, is in training mode, or needs what no request gives.
    """

    def __init__(self, name: str, model: KokoroModel) -> None:
        if model.training:
            raise ValueError(f"`{name}` is in training mode; call `model.eval()` first.")
        self.name = name
        self.speech = TextToSpeech(model)
        self.makes_place = can_replace_rows(model.acoustic.decoder)
        self.spec = model.spec
        self.loaded = int(time.time())
        self.voices: tuple[str, ...] = tuple(model.spec.speakers) or (ONLY_VOICE,)
        self.features = {name: each for _, name, each in given_features(model.spec)}
        for feature, form in self.features.items():
            self._check_given(feature, form)

    @property
    def batch(self) -> int:
        """How many sentences at once pay.

        On a CPU a decoder that makes all frames at once is busy with those of one sentence, so that
        more of them would only wait for each other; one that makes frame after frame reads its
        weights for all rows once.
        """
        model = self.speech.model
        on_cpu = next(model.parameters()).device.type == "cpu"
        at_once = isinstance(original(model.acoustic.decoder), ParallelDecoder)
        return 1 if on_cpu and at_once else BATCH

    @property
    def sample_rate(self) -> int:
        """Samples per second of what it speaks."""
        assert self.spec.audio is not None
        return self.spec.audio.sample_rate

    def described(self) -> dict[str, Any]:
        """Return what `GET /v1/models` says of it: OpenAI's fields, and what a page offers."""
        options = options_of(self.spec)
        return {
            "id": self.name,
            "object": "model",
            "created": self.loaded,
            "owned_by": "kokoro-core",
            "voices": list(self.voices),
            "languages": list(self.spec.languages),
            "sample_rate": self.sample_rate,
            "speed": self.spec.generation.speed,
            "takes_speed": self.spec.duration_predictor is not None,
            "takes_pitch": PITCH in options,
            "options": {name: each.default for name, each in options.items()},
            "features": [name for name in self.features if self._is_number(name)],
        }

    def options(self, request: SpeechRequest) -> Options:
        """Return how a request wants to be spoken.

        Raises:
            ApiError: The model does not know a name, or does not take what is given.
        """
        numbers = self._numbers(request)
        if request.speed is not None and self.spec.duration_predictor is None:
            message = f"`speed` must be left out: `{self.name}` plans no durations."
            raise ApiError(400, message, "unsupported_parameter", "speed")
        self._check_frames(request.max_mel_len)
        shared = {
            "speed": request.speed,
            "max_mel_len": request.max_mel_len,
            "options": numbers,
        }
        return Options(shared, self._rows(request))

    def _numbers(self, request: SpeechRequest) -> dict[str, float]:
        """Return the options of a request, of which `pitch` is one."""
        pitch = {} if request.pitch is None else {PITCH: request.pitch}
        if pitch and PITCH in request.options:
            message = f"`pitch` and `{PITCH}` of `options` say the same; leave one of the two out."
            raise ApiError(400, message, "invalid_value", "pitch")
        for param, numbers in (("options", request.options), ("pitch", pitch)):
            try:
                checked_options(self.spec, numbers)
            except (TypeError, ValueError) as error:
                raise ApiError(400, str(error), "invalid_value", param) from None
        return {**request.options, **pitch}

    def _check_frames(self, frames: int | None) -> None:
        """Refuse longer sentences than the spec allows: they are others' time."""
        most = self.spec.generation.max_mel_len
        if frames is not None and frames > most:
            message = (
                f"`max_mel_len` must be at most {most}, as `{self.name}` has it, not {frames}."
            )
            raise ApiError(400, message, "invalid_value", "max_mel_len")

    def _rows(self, request: SpeechRequest) -> dict[str, Any]:
        """Return the features of a request, a value for its row."""
        rows: dict[str, Any] = self._names(request)
        for name, value in request.features.items():
            if not self._is_number(name):
                known = [each for each in self.features if self._is_number(each)]
                listed = ", ".join(f"`{each}`" for each in known) or "none"
                hint = suggestion(name, known) or f"; it takes {listed}."
                message = f"`{name[:80]}` is not a number that `{self.name}` takes{hint}"
                raise ApiError(400, message, "invalid_value", "features")
            rows[name] = torch.tensor([value])
        for name, form in self.features.items():
            if name not in rows and form is not None and form.is_required(training=False):
                raise ApiError(
                    400,
                    f"`{name}` is missing, with which `{self.name}` speaks; {self._hint(name)}.",
                    "missing_parameter",
                    name if name in NAMED else "features",
                )
        return rows

    def _names(self, request: SpeechRequest) -> dict[str, Any]:
        """Return speaker and language, which are given by name."""
        voice = request.voice_name
        if voice not in self.voices:
            raise _unknown("voice", voice, self.voices, self.name)
        rows: dict[str, Any] = {}
        if self.spec.speakers:
            rows["speaker"] = voice
        if request.language is not None:
            if request.language not in self.spec.languages:
                raise _unknown("language", request.language, self.spec.languages, self.name)
            rows["language"] = request.language
        return rows

    def _hint(self, name: str) -> str:
        if name == "language":
            return f"it knows {', '.join(self.spec.languages)}"
        return f'`"features": {{"{name}": …}}` gives it'

    def _is_number(self, name: str) -> bool:
        """Return whether a feature is one number for a text."""
        form = self.features.get(name)
        if form is None or (name in NAMED and getattr(self.spec, NAMED[name])):
            return False
        return form.per == "row" and form.kind == "float" and form.width is None

    def _check_given(self, name: str, form: Feature | None) -> None:
        """Refuse a model that needs what no request gives."""
        named = name in NAMED and bool(getattr(self.spec, NAMED[name]))
        needed = form is None or form.is_required(training=False)
        if needed and not named and not self._is_number(name):
            raise ValueError(
                f"`{self.name}` cannot be served: it speaks with `{name}`, which is neither a name "
                f"nor a number, and requests give no more; `synthesize` and Python do."
            )


def _unknown(field: str, name: str, known: tuple[str, ...] | list[str], model: str) -> ApiError:
    listed = ", ".join(known) or "none"
    hint = suggestion(name, known) or f"; it has {listed}."
    message = f"`{name[:80]}` is not a {field} of `{model}`{hint}"
    return ApiError(400, message, f"{field}_not_found", field)
