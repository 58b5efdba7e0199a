"""`VocoderTask`: a vocoder that learns to make the waves of recordings again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from kokoro_core import ModelSpec
from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.checkpoints.tensors_of import layout_of
from kokoro_core.checkpoints.vocoder_file import save_vocoder
from kokoro_core.checkpoints.vocoder_tensors import placed
from kokoro_core.contracts import NeuralVocoder, TensorInfo
from kokoro_core.tensors.compiled import original_state
from kokoro_core.tensors.pytree import register_pytree
from kokoro_plugins.training.loop.task import Task
from kokoro_plugins.training.vocoder.batch import VocoderBatch
from kokoro_plugins.training.vocoder.losses import WaveLosses
from kokoro_plugins.training.vocoder.settings import VOCODER_FILE, WaveLossWeights
from registry import Plugins


@register_pytree
@dataclass(frozen=True)
class VocoderOutput:
    """What a vocoder makes of a batch.

    Attributes:
        wave: (B, S).
        loss: The weighted sum, ().
        losses: Its terms by name.
    """

    wave: Tensor
    loss: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)


@final
class VocoderWithLosses(nn.Module):
    """A vocoder and how far it is from recordings.

    Args:
        vocoder: What is trained.
        losses: Of its waves.
        weights: Of the losses.
    """

    def __init__(
        self, *, vocoder: NeuralVocoder, losses: WaveLosses, weights: WaveLossWeights
    ) -> None:
        super().__init__()
        self.vocoder, self.losses = vocoder, losses
        self._weights = weights.model_dump()

    def forward(self, batch: VocoderBatch) -> VocoderOutput:
        """Return the waves of a batch, and their losses."""
        wave = self.vocoder(batch.mel_specs)
        with torch.autocast(wave.device.type, enabled=False):  # spectra need all 32 bits
            losses = self.losses(wave.float(), batch.wave)
        return VocoderOutput(wave, self.weigh(losses, {}), losses)

    def weigh(self, losses: Mapping[str, Tensor], factors: Mapping[str, float]) -> Tensor:
        """Return the weighted sum."""
        terms = [
            each * (self._weights[name] * factors.get(name, 1.0)) for name, each in losses.items()
        ]
        return torch.stack(terms).sum()


@final
class VocoderTask(Task):
    """The training of the vocoder of a spec.

    Args:
        spec: Has it in the section `vocoder`.
        plugins: Where it comes from.
        vocoder: It, with the weights that training begins with.
        weights: Of the losses.
    """

    file = VOCODER_FILE

    def __init__(
        self,
        *,
        spec: ModelSpec,
        plugins: Plugins,
        vocoder: NeuralVocoder,
        weights: WaveLossWeights | None = None,
    ) -> None:
        self.spec, self.plugins = spec, plugins
        losses = WaveLosses(audio=vocoder.audio)
        self._model = VocoderWithLosses(
            vocoder=vocoder, losses=losses, weights=weights or WaveLossWeights()
        )
        self.model, self.trained = self._model, vocoder
        self._vocoder = vocoder

    def weigh(self, losses: Mapping[str, Tensor], factors: Mapping[str, float]) -> Tensor:
        """Return the weighted sum."""
        return self._model.weigh(losses, factors)

    def by_share(self, losses: Mapping[str, Tensor], batch: Any) -> dict[str, Tensor]:
        """Weigh by rows, of which the last batch of an epoch may have fewer."""
        if batch.of_step is None:
            return dict(losses)
        rows, batches = batch.of_step.unbind()
        return {name: each * (len(batch) * batches) / rows for name, each in losses.items()}

    def valid_places(self, name: str, batch: Any) -> Tensor:
        """Return the number of rows."""
        return torch.tensor(len(batch))

    def place(self, name: str) -> str:
        """Return it as it is: a file has the name of the vocoder before those of its tensors."""
        return name

    def has_idle_parts(self) -> bool:
        """Return False: all of a vocoder is in its wave."""
        return False

    def layout(self) -> Mapping[str, TensorInfo]:
        """Return that of the vocoder."""
        return layout_of(placed(self._vocoder))

    def write(self, path: Path) -> None:
        """Write the vocoder with its settings and those of its mels."""
        assert self.spec.vocoder is not None
        save_vocoder(path, self._vocoder, self.spec.vocoder, self.plugins)

    def check_savable(self, path: Path) -> None:
        """Refuse tensors that could not be stored as they are."""
        checkpointer_for(path, self.plugins).check(original_state(placed(self._vocoder)))

    def refuse_losses(self, names: Mapping[str, Any]) -> None:
        """Refuse a schedule of losses that it does not have."""
        known = [*WaveLossWeights.model_fields]
        for name in names:
            if name not in known:
                raise ValueError(
                    f"`loss_schedule` names `{name}`, but a vocoder's losses are "
                    f"{', '.join(known)}."
                )
