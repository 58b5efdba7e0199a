"""The settings of the vocoder `hifigan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import VocoderParams
from kokoro_plugins.hifigan.generator_settings import GeneratorSettings
from kokoro_plugins.hifigan.sizes import MODEL_TYPES

if TYPE_CHECKING:
    from kokoro_plugins.hifigan.vocoder import HifiGan


class HifiGanParams(VocoderParams):
    """HiFi-GAN (Kong et al., 2020), with weights of a published folder or of a checkpoint.

    Attributes:
        folder: A folder with ``config.json`` and ``model.safetensors``, as transformers saves
            FastSpeech2ConformerHifiGan, SpeechT5HifiGan and FastSpeech2ConformerWithHifiGan; it
            brings weights and settings. Null: the checkpoint brings the weights.
        generator: Its settings; null: the folder's, or V1's.
    """

    type: Literal["hifigan"] = "hifigan"
    folder: str | None = Field(default=None, min_length=1)
    generator: GeneratorSettings | None = None

    model_types: ClassVar[tuple[str, ...]] = MODEL_TYPES

    @model_validator(mode="after")
    def _of_one(self) -> Self:
        if self.folder is not None and self.generator is not None:
            raise ValueError("`folder` has settings of its own, so `generator` must be left out")
        return self

    @property
    def trained(self) -> bool:
        """Whether it has weights that a checkpoint has to bring."""
        return self.folder is None

    @classmethod
    def read_published(cls, folder: Path, audio: AudioSettings) -> tuple[HifiGanParams, HifiGan]:
        """Return the vocoder of a published folder, and the settings by which it is built alone.

        Raises:
            AudioMismatch: It makes waves of another rate, or reads other mels.
            CheckpointError: The folder is none of HiFi-GAN's.
        """
        from kokoro_plugins.hifigan.folder import read_folder
        from kokoro_plugins.hifigan.vocoder import HifiGan

        found = read_folder(folder)
        found.check_rate(audio)
        return cls(generator=found.settings), HifiGan(audio=audio, generator=found.generator)

    def build(self, audio: AudioSettings) -> HifiGan:
        """Return the vocoder with the folder's weights, or with drawn ones.

        Raises:
            AudioMismatch: It makes waves of another rate or another number of samples a frame, or
                reads other channels.
            CheckpointError: The folder is none of HiFi-GAN's.
        """
        from kokoro_plugins.hifigan.folder import read_folder
        from kokoro_plugins.hifigan.generator import Generator
        from kokoro_plugins.hifigan.vocoder import HifiGan

        if self.folder is not None:
            found = read_folder(Path(self.folder))
            found.check_rate(audio)
            return HifiGan(audio=audio, generator=found.generator)
        settings = dict(self.generator or GeneratorSettings())
        return HifiGan(audio=audio, generator=Generator(mel_dim=audio.n_mels, **settings))
