"""A vocoder in a file of its own: weights, settings, and the mels that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kokoro_core.checkpoints.layout import CheckpointMismatch, differences
from kokoro_core.checkpoints.locate import OpenModel, checkpointer_for, open_checkpoint
from kokoro_core.checkpoints.recorded import with_recorded
from kokoro_core.checkpoints.store import FORMAT_VERSION, check_format, spec_inside
from kokoro_core.checkpoints.tensors_of import layout_of, parameter_names
from kokoro_core.checkpoints.values import check_finite, on_device
from kokoro_core.checkpoints.vocoder_tensors import PLACE, parted, placed, settings_differences
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.errors import AudioMismatch, CheckpointError
from kokoro_core.model.vocoder import as_it_speaks, assemble_vocoder
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import StrictModel
from kokoro_core.slots import VocoderParams
from kokoro_core.spec.arguments import path_of, plugins_of
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Problem, SpecError, dotted
from kokoro_core.spec.text.migrations import migrate
from kokoro_core.spec.tree.dump import dump
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import component_sources
from kokoro_core.tensors.compiled import original_state
from registry import Plugins

_WHAT_BRINGS_ONE = "`kokoro-core train-vocoder` trains one, `checkpoint attach` puts it in"


@dataclass(frozen=True)
class SavedVocoder:
    """A vocoder with its weights and what they belong to.

    Attributes:
        params: The settings that it is built with.
        audio: The settings of the mels that it reads.
        vocoder: It, in evaluation mode and without gradients.
    """

    params: VocoderParams
    audio: AudioSettings
    vocoder: NeuralVocoder

    def attached_to(self, spec: ModelSpec, plugins: Plugins | None = None) -> ModelSpec:
        """Return the spec of a model with this vocoder.

        Raises:
            AudioMismatch: The model makes other mels, or its spec does not say which.
            SpecError: The model can have no vocoder.
        """
        name = self.params.type
        if spec.audio is None:
            raise AudioMismatch(
                f"The vocoder `{name}` cannot be attached, since the spec `{spec.name}` has no "
                f"`audio` and so does not say what its mels are."
            )
        if found := self.audio.differences(spec.audio):
            raise AudioMismatch(
                f"The vocoder `{name}` was made for other mels than the model `{spec.name}` makes: "
                f"{'; '.join(found)} (vocoder against model)."
            )
        plugins = plugins_of(plugins)
        section = dump(self.params, plugins.components)
        return load_spec(spec, overrides={PLACE: section}, plugins=plugins)


class _Settings(StrictModel):
    """What stands in the metadata of a vocoder's file."""

    vocoder: VocoderParams
    audio: AudioSettings


def save_vocoder(
    path: Path, vocoder: NeuralVocoder, params: VocoderParams, plugins: Plugins | None = None
) -> None:
    """Write a vocoder to a file of its own, atomically and with a content hash.

    Args:
        path: Must end in a suffix that a checkpointer handles, such as ``.safetensors``.
        vocoder: With its weights.
        params: The settings that it is built with.
        plugins: Where components come from; None: the installed plugins.

    Raises:
        CheckpointError: It is not the vocoder of the settings, a weight is not finite, or the disk
            refuses.
    """
    path, plugins = path_of("path", path), plugins_of(plugins)
    modules, tensors = settings_differences(params, vocoder.audio, vocoder)
    if lines := [*modules, *tensors]:
        what = f"`{path}` was not written, since the vocoder is not that of its settings"
        raise CheckpointMismatch(what, lines)
    settings = _Settings(vocoder=params, audio=vocoder.audio)
    metadata = {
        "format_version": FORMAT_VERSION,
        **dump(settings, plugins.components),
        "components": component_sources(settings, plugins),
    }
    state = original_state(placed(vocoder))
    check_finite(f"`{path}` was not written", state, parameter_names(placed(vocoder)))
    checkpointer_for(path, plugins).save(path, state, metadata)


def load_vocoder(
    path: Path, plugins: Plugins | None = None, *, device: str = "cpu", verify: bool = True
) -> SavedVocoder:
    """Return the vocoder of a file of its own, or of a checkpoint that has one.

    Args:
        path: A file, the index of several, a step directory, or a folder with one of them.
        plugins: Where components come from; None: the installed plugins.
        device: Where its weights go.
        verify: Compare the content with its hash.

    Raises:
        CheckpointError: It is missing, damaged or none, has no vocoder, or its tensors are not
            those of the vocoder of its settings.
        SpecError: Its settings need components that are not installed.
    """
    path, plugins = path_of("path", path), plugins_of(plugins)
    with open_checkpoint(path, plugins, verify=verify) as opened:
        metadata = opened.content.metadata
        if is_vocoder_alone(metadata):
            settings = _settings(opened.path, metadata, plugins)
            return _filled(opened, settings.vocoder, settings.audio, device)
        spec = spec_inside(opened.path, metadata, plugins)
        if spec.vocoder is None or spec.audio is None or not parted(opened.content.layout)[1]:
            raise CheckpointError(
                f"`{opened.path}` has no weights of a vocoder; {_WHAT_BRINGS_ONE}."
            )
        return _filled(opened, spec.vocoder, spec.audio, device)


def is_vocoder_alone(metadata: Mapping[str, Any]) -> bool:
    """Return whether a file's metadata is that of a vocoder without a model."""
    return PLACE in metadata and "spec" not in metadata


def _settings(path: Path, metadata: Mapping[str, Any], plugins: Plugins) -> _Settings:
    check_format(path, metadata)
    plain = {name: metadata.get(name) for name in _Settings.model_fields}
    try:
        return _Settings.model_validate(
            migrate(plain, plugins).value, context={"registry": plugins.components}
        )
    except ValidationError as error:
        problems = (
            Problem(each["type"], dotted(each["loc"]), each["msg"]) for each in error.errors()
        )
        raise SpecError(
            replace(with_recorded(each, metadata), source=str(path)) for each in problems
        ) from None


def _filled(
    opened: OpenModel, params: VocoderParams, audio: AudioSettings, device: str
) -> SavedVocoder:
    vocoder = assemble_vocoder(params, audio, initialise=False)
    found = opened.content.layout
    if not is_vocoder_alone(opened.content.metadata):
        found = parted(found)[1]
    lines = differences(layout_of(placed(vocoder)), found, of="the vocoder")
    if lines:
        what = f"`{opened.path}` does not fit the vocoder that its settings describe"
        raise CheckpointMismatch(what, lines)
    tensors = opened.content.read(device, names=set(found), verify=opened.verify)
    check_finite(f"`{opened.path}` is refused", tensors, parameter_names(placed(vocoder)))
    placed(vocoder).load_state_dict(tensors, strict=True, assign=True)
    return SavedVocoder(params, audio, as_it_speaks(on_device(opened.path, vocoder, device)))
