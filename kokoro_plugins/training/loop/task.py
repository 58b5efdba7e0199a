"""`Task`: what is trained, by which losses, and how it is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from torch import Tensor, nn

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.checkpoints.vocoder_tensors import layout_of_both, parted, unset_vocoder
from kokoro_core.contracts import TensorInfo
from kokoro_core.model.losses import weigh
from kokoro_plugins.training.data.shares import Shares
from kokoro_plugins.training.loop.idle import idle_parameters
from kokoro_plugins.training.output import MODEL_FILE
from kokoro_plugins.training.recipe.loss_schedule import refuse_unknown_losses
from registry import Plugins


class Task(ABC):
    """All that the loop knows of what it trains.

    Attributes:
        spec: Has it as a section, or is of it.
        plugins: Where its components come from.
        model: Is called with a batch; what it returns is a dataclass with a `loss` and `losses`.
        trained: The part of it whose parameters are moved, by whose names patterns know them.
        file: What its file is called in a saved step.
    """

    spec: ModelSpec
    plugins: Plugins
    model: nn.Module
    trained: nn.Module
    file: str

    @abstractmethod
    def weigh(self, losses: Mapping[str, Tensor], factors: Mapping[str, float]) -> Tensor:
        """Return the weighted sum of losses, ().

        Args:
            losses: By name.
            factors: What a schedule multiplies losses by, by name.
        """

    @abstractmethod
    def by_share(self, losses: Mapping[str, Tensor], batch: Any) -> dict[str, Tensor]:
        """Return the losses of a batch, so that their mean over a step's batches is that of all."""

    @abstractmethod
    def valid_places(self, name: str, batch: Any) -> Tensor:
        """Return how many places a loss of a batch is the mean over, ()."""

    @abstractmethod
    def place(self, name: str) -> str:
        """Return what a tensor of its file is called inside of the model."""

    def make_room(self, found: Mapping[str, TensorInfo]) -> None:  # noqa: B027 (nothing is a room)
        """Have a place for tensors that a saved file has beside those of what is trained."""

    def has_idle_parts(self) -> bool:
        """Return whether some parameters may be no part of the loss, which processes must know."""
        return True

    @abstractmethod
    def layout(self) -> Mapping[str, TensorInfo]:
        """Return type and shape of each tensor that a file of it has."""

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write it to a file.

        Raises:
            CheckpointError: A weight is not finite, or the disk refuses.
        """

    @abstractmethod
    def check_savable(self, path: Path) -> None:
        """Refuse what could not be written to a path and read again.

        Raises:
            CheckpointError: It could not.
        """

    def refuse_losses(self, names: Mapping[str, Any]) -> None:
        """Refuse a schedule of losses that it does not have.

        Raises:
            ValueError: There is one.
        """
        refuse_unknown_losses(self.spec, names)


@final
class SpeechTask(Task):
    """An acoustic model by teacher forcing.

    Args:
        model: Its spec weighs the losses.
    """

    file = MODEL_FILE

    def __init__(self, model: KokoroModel) -> None:
        self.spec, self.plugins = model.spec, model.plugins
        self.model, self.trained = model, model.acoustic
        self._model = model
        self._shares = Shares(model.spec)

    def weigh(self, losses: Mapping[str, Tensor], factors: Mapping[str, float]) -> Tensor:
        """Return the sum as the spec weighs it."""
        return weigh(losses, self.spec.loss, factors)

    def by_share(self, losses: Mapping[str, Tensor], batch: Any) -> dict[str, Tensor]:
        """Weigh by valid frames or phonemes."""
        return self._shares.by_share(losses, batch)

    def valid_places(self, name: str, batch: Any) -> Tensor:
        """Return valid frames or phonemes."""
        return self._shares.valid_places(name, batch)

    def place(self, name: str) -> str:
        """Return it with the acoustic model's name before it, or as it is if it is a vocoder's."""
        return f"acoustic.{name}" if parted({name: name})[0] else name

    def make_room(self, found: Mapping[str, TensorInfo]) -> None:
        """Have a place for a vocoder, without which a training that goes on begins."""
        if self._model.vocoder is None:
            self._model.vocoder = unset_vocoder(self.spec, found)

    def has_idle_parts(self) -> bool:
        """Return whether a batch without values leaves a parameter without a gradient."""
        return idle_parameters(self.spec) != []

    def layout(self) -> Mapping[str, TensorInfo]:
        """Return that of the acoustic model and its vocoder."""
        return layout_of_both(self._model.acoustic, self._model.vocoder)

    def write(self, path: Path) -> None:
        """Write the model with its spec."""
        self._model.save(path)

    def check_savable(self, path: Path) -> None:
        """Refuse a model that its spec does not describe."""
        self._model.check_savable(path)


def as_task(trained: KokoroModel | Task) -> Task:
    """Return the task of training a model."""
    return trained if isinstance(trained, Task) else SpeechTask(trained)
