"""Read a published folder strictly: every setting known, every tensor placed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from kokoro_core.contracts import PublishedSettings
from kokoro_core.errors import AudioMismatch, CheckpointError
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.hifigan.generator import Generator
from kokoro_plugins.hifigan.generator_settings import GeneratorSettings
from kokoro_plugins.hifigan.sizes import BESIDE_A_MODEL, MODEL_TYPES

THEIRS = {
    "channels": "upsample_initial_channel",
    "slope": "leaky_relu_slope",
    "rates": "upsample_rates",
    "rate_kernel_sizes": "upsample_kernel_sizes",
    "kernel_sizes": "resblock_kernel_sizes",
    "dilations": "resblock_dilation_sizes",
}
"""What settings are called in a published folder."""

_MEL_DIM = "model_in_dim"


@dataclass(frozen=True)
class Published:
    """What a published folder has.

    Attributes:
        folder: It.
        settings: Of the generator.
        sample_rate: Of its waves, in Hz; None: it does not say.
        generator: With its weights.
    """

    folder: Path
    settings: GeneratorSettings
    sample_rate: Any
    generator: Generator

    def check_rate(self, audio: AudioSettings) -> None:
        """Refuse mels of waves of another rate.

        Raises:
            AudioMismatch: They are.
        """
        if self.sample_rate not in (None, audio.sample_rate):
            raise AudioMismatch(
                f"`{self.folder}` was made for the `sample_rate` {self.sample_rate}, and `audio` "
                f"has {audio.sample_rate}."
            )


def read_folder(folder: Path) -> Published:
    """Return the generator of a folder with its weights, and its settings.

    Raises:
        CheckpointError: The folder is none of HiFi-GAN's, has settings that the generator cannot
            have, or other tensors than it.
    """
    values = _read_config(folder / "config.json")
    prefix = ""
    if values.get("model_type") == BESIDE_A_MODEL:
        values, prefix = values.get("vocoder_config", {}), "vocoder."
    if values.get("model_type") not in MODEL_TYPES:
        raise CheckpointError(
            f"`{folder / 'config.json'}` has the `model_type` {values.get('model_type')!r}; "
            f"`hifigan` reads {', '.join(map(repr, MODEL_TYPES))}."
        )
    mel_dim, settings = _settings(folder, PublishedSettings(values))
    generator = Generator(mel_dim=mel_dim, **dict(settings))
    tensors = _read_tensors(folder / "model.safetensors")
    own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    _fill(folder, generator, own)
    return Published(folder, settings, values.get("sampling_rate"), generator)


def _settings(folder: Path, config: PublishedSettings) -> tuple[int, GeneratorSettings]:
    """Return the number of mel channels and the settings of the generator.

    Raises:
        CheckpointError: It cannot have them.
    """
    config.pass_over("initializer_range", "sampling_rate", because="neither changes the wave")
    mel_dim = config.get(_MEL_DIM, 80)
    given: dict[str, Any] = {
        "channels": config.get("upsample_initial_channel", 512),
        "rates": config.get("upsample_rates", (8, 8, 2, 2)),
        "rate_kernel_sizes": config.get("upsample_kernel_sizes", (16, 16, 4, 4)),
        "kernel_sizes": config.get("resblock_kernel_sizes", (3, 7, 11)),
        "dilations": config.get("resblock_dilation_sizes", ([1, 3, 5],) * 3),
        "slope": config.get("leaky_relu_slope", 0.1),
        "normalises": config.get("normalize_before", True),
    }
    problems = [*config.problems()]
    if mel_dim < 1:
        problems.append(f"`{_MEL_DIM}` must be 1 or more, not {mel_dim}")
    try:
        settings = GeneratorSettings.model_validate(given, context={"called": THEIRS})
    except ValidationError as error:
        problems += map(_as_theirs, error.errors())
    if problems:
        raise CheckpointError(
            f"`{folder / 'config.json'}` has settings that `hifigan` cannot have: "
            f"{'; '.join(problems)}."
        )
    return mel_dim, settings


def _as_theirs(error: ErrorDetails) -> str:
    """Return what is wrong with a setting under its published name."""
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name, *inside = map(str, error["loc"])
    return f"`{'.'.join((THEIRS.get(name, name), *inside))}`: {message}, not {error['input']!r}"


def _fill(folder: Path, generator: Generator, tensors: dict[str, Tensor]) -> None:
    shapes = {name: tuple(each.shape) for name, each in generator.state_dict().items()}
    found = {name: tuple(each.shape) for name, each in tensors.items()}
    lines = [f"`{name}` is missing" for name in shapes if name not in found]
    lines += [f"`{name}` has no place" for name in found if name not in shapes]
    lines += [
        f"`{name}` is {found[name]}, not {shape}"
        for name, shape in shapes.items()
        if found.get(name, shape) != shape
    ]
    if lines:
        raise CheckpointError(
            f"`{folder / 'model.safetensors'}` does not fit its settings: {'; '.join(lines)}."
        )
    generator.load_state_dict(tensors, strict=True, assign=True)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"`{path}` could not be read as JSON: {error}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"`{path}` must hold a JSON object, not {type(values).__name__}.")
    return values


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"`{path}` could not be read: {error}.") from error
