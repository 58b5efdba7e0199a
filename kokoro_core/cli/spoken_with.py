"""Options of commands that speak: features and numbers by name, and a recording to follow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kokoro_core.cli.vectors import vector_of
from registry.text import suggestion

if TYPE_CHECKING:
    from kokoro_core.params.features import Feature
    from kokoro_core.spec.tree.model_spec import ModelSpec


def spoken_with(
    spec: ModelSpec,
    *,
    speaker: str | None,
    language: str | None,
    features: Iterable[str],
    options: Iterable[str],
    reference: Path | None,
    pitch: float | None = None,
) -> dict[str, Any]:
    """Return the keywords of `KokoroModel.generate` that options of a command mean.

    Args:
        spec: Of the model that speaks.
        speaker: By name.
        language: By name.
        pitch: The same as ``pitch.control=…`` among options.
        features: Each ``NAME=VALUE``; with a dot in the name it is an option.
        options: Each ``PART.NAME=NUMBER``.
        reference: A recording to follow.

    Raises:
        ValueError: One is not written so, two mean the same, or the model does not take one.
    """
    given: dict[str, Any] = {}
    numbers: dict[str, float] = {}
    flags: dict[str, str] = {}
    for flag, name, value in _pairs(speaker, language, pitch, features, options):
        if (other := flags.setdefault(name, flag)) != flag:
            raise ValueError(f"`{name}` is given by `{other}` and by `{flag}`; give it by one.")
        if flag in ("--option", "--pitch") or "." in name:
            numbers[name] = _number(flag, f"{name}={value}", value)
        else:
            given[name] = value
    if reference is not None:
        given |= _recording(spec, reference)
    return {**_as_taken(spec, given), **({"options": numbers} if numbers else {})}


def _pairs(
    speaker: str | None,
    language: str | None,
    pitch: float | None,
    features: Iterable[str],
    options: Iterable[str],
) -> Iterator[tuple[str, str, str]]:
    """Yield by which option of the command each value was given, for what name."""
    if speaker is not None:
        yield "--speaker", "speaker", speaker
    if language is not None:
        yield "--language", "language", language
    if pitch is not None:
        yield "--pitch", "pitch.control", str(pitch)
    for flag, texts in (("--option", options), ("--feature", features)):
        for text in texts:
            yield flag, *_pair(flag, text)


def numbers_of(options: Iterable[str]) -> dict[str, float]:
    """Return the numbers that ``--option PART.NAME=NUMBER`` gives, by name.

    Raises:
        ValueError: One is not written so.
    """
    pairs = [(text, *_pair("--option", text)) for text in options]
    return {name: _number("--option", text, value) for text, name, value in pairs}


def _as_taken(spec: ModelSpec, given: dict[str, Any]) -> dict[str, Any]:
    """Return features in the form in which the model of a spec takes them.

    Raises:
        ValueError: One is unknown, missing, or of another form.
    """
    from kokoro_core.spec.rules.intake import given_features
    from kokoro_core.spec.rules.names import NAMED

    taken = {name: feature for _, name, feature in given_features(spec)}
    for name in given:
        if name not in taken:
            _refuse_unknown(name, sorted(taken))
    for name, feature in taken.items():
        if name not in given and (feature is None or feature.is_required(training=False)):
            raise ValueError(
                f"`{name}` is missing, with which this model speaks; {_hint(spec, name)}."
            )
    return {
        name: _value(name, value, taken[name])
        if isinstance(value, str) and not (name in NAMED and getattr(spec, NAMED[name]))
        else value
        for name, value in given.items()
    }


def _refuse_unknown(name: str, taken: Sequence[str]) -> None:
    listed = ", ".join(f"`{each}`" for each in taken) or "none"
    hint = suggestion(name, taken) or "; leave it out"
    raise ValueError(f"`{name}` is not a feature of this model, which takes {listed}{hint}.")


def _hint(spec: ModelSpec, name: str) -> str:
    """Return which option of the command gives a feature."""
    if name.startswith("reference"):
        return "`--reference x.wav` gives it"
    names = {"speaker": spec.speakers, "language": spec.languages}.get(name, ())
    if names:
        return f"`--{name} {names[0]}` gives it, and the model knows {', '.join(names)}"
    return f"`--feature {name}=…` gives it"


def _pair(flag: str, text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise ValueError(f"`{flag} {text}` must be NAME=VALUE, such as `{flag} pitch.control=1.2`.")
    return name, value


def _number(flag: str, text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"`{flag} {text}` must end in a number, not {value!r}.") from None


def _value(name: str, text: str, feature: Feature | None) -> Any:
    """Return what was written for a feature, a number or a vector for the one row that is spoken.

    Raises:
        ValueError: It is neither, or the feature has a value for each of many things.
    """
    import torch

    if feature is None:
        raise ValueError(
            f"`{name}` has a form that commands do not know; in Python `model.generate(…, "
            f"{name}=…)` takes it."
        )
    if feature.per != "row":
        raise ValueError(
            f"`--feature {name}={text}` is one value, but the model takes `{name}` as a value for "
            f"each {feature.per}; in Python `model.generate(…, {name}=…)` takes it."
        )
    if feature.kind == "float" and feature.width is not None:
        return vector_of(name, text, feature.width)
    number = _number("--feature", f"{name}={text}", text)
    if feature.kind == "float":
        return torch.tensor([number])
    if number != int(number) or not 0 <= number < (feature.width or math.inf):
        most = "" if feature.width is None else f" to {feature.width - 1}"
        raise ValueError(f"`--feature {name}={text}` must be a whole number from 0{most}.")
    return torch.tensor([int(number)])


def _recording(spec: ModelSpec, path: Path) -> dict[str, Any]:
    """Return the normalised mel of a recording as the feature `reference`.

    Raises:
        ValueError: It is not a mono wav of the model's sample rate, or too short, or the model has
            no `audio`.
    """
    import torch

    from kokoro_core.nn.mel import MelSpectrogram

    if spec.audio is None:
        raise ValueError(f"`{spec.name}` has no `audio`, so no mel can be made of `{path}`.")
    samples = _samples(path, spec.audio.sample_rate)
    mel = MelSpectrogram(audio=spec.audio)(torch.tensor(samples))
    mel = ((mel - spec.audio.mean) / spec.audio.std).unsqueeze(0)
    mask = torch.zeros(mel.shape[:2], dtype=torch.bool)
    return {"reference": mel, "reference_padding_mask": mask}


def _samples(path: Path, sample_rate: int) -> list[float]:
    """Return the samples of a 16-bit mono wav.

    Raises:
        ValueError: It is none, or of another sample rate.
    """
    import wave
    from array import array

    try:
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            samples = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(
            f"`{path}` must be a wav with 16-bit samples: {error or 'it ends too early'}."
        ) from None
    if form != (1, 2, sample_rate):
        raise ValueError(
            f"`{path}` must be a wav of one channel, 16 bits and {sample_rate} Hz, not of "
            f"{form[0]} channels, {8 * form[1]} bits and {form[2]} Hz."
        )
    return [each / 32768 for each in array("h", samples)]
