"""Whether the longest utterances fit into the model, tried before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.contracts import Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.model.example_features import example_features
from kokoro_plugins.training.data.collate import collate
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.loop.random_states import undrawn

SHOWN = 10
"""As many utterances are named, and the rest counted."""

REFUSALS = (ValueError, IndexError, RuntimeError)
"""What parts raise at a sequence that is too long: the contract's error, or that of a table."""


def check_lengths(model: KokoroModel, data: AlignedSpeech) -> None:
    """Let the model predict the longest utterances, held out or not.

    Only the model knows what it can take: any part may have a limit of its own. If one is refused,
    a binary search finds all that are. Lengths matter alone, so no mel is made for it.

    Raises:
        CorpusError: Some are too long; the message names them and the settings that would help.
    """
    training = model.training
    model.eval()
    try:
        with undrawn(), torch.no_grad():
            _check(model, data)
    finally:
        model.train(training)


def _check(model: KokoroModel, data: AlignedSpeech) -> None:
    rest = list(range(len(data.sizes)))
    refused: list[int] = []
    said: Exception | None = None
    for measure in (0, 1):  # frames, then phonemes of those whose frames fit
        order = sorted(rest, key=lambda index: data.sizes[index][measure])
        error = _refusal(model, data, _durations(data, order[-1])) if order else None
        if error is None:
            continue
        if _refusal(model, data, torch.ones(1, dtype=torch.int64)):
            raise error  # not a question of length: even one phoneme is refused
        said = said or error
        first = _first_refused(model, data, order)
        refused += reversed(order[first:])
        rest = order[:first]
    if said is not None:
        raise CorpusError(_message(model.spec, data, refused, said)) from said


def _first_refused(model: KokoroModel, data: AlignedSpeech, order: Sequence[int]) -> int:
    """Return the place of the first utterance that is refused; the last one is."""
    low, high = 0, len(order) - 1
    while low < high:
        middle = (low + high) // 2
        if _refusal(model, data, _durations(data, order[middle])) is None:
            low = middle + 1
        else:
            high = middle
    return low


def _durations(data: AlignedSpeech, index: int) -> Tensor:
    """Return the durations of an utterance; where nobody knows them an even share each."""
    known = data.corpus.durations_of(index)
    if known is not None:
        return known
    frames, phonemes = data.sizes[index]
    shares = torch.full((phonemes,), frames // phonemes)
    shares[: frames % phonemes] += 1
    return shares


def _refusal(model: KokoroModel, data: AlignedSpeech, durations: Tensor) -> Exception | None:
    """Return what a model raises at an utterance of these durations, one phoneme repeated."""
    phonemes = torch.full_like(durations, 0 if data.pad_id else 1)
    silence = torch.full((int(durations.sum()), data.audio.n_mels), data.audio.mean)
    utterance = Utterance("length trial", "", phonemes, durations, silence)
    batch = collate([utterance], data.audio, data.pad_id)
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    frames, channels = silence.shape
    steps = {"row": 1, "phoneme": len(phonemes), "frame": frames, "mel": channels}
    extras = example_features(model.acoustic.wiring, steps, training=True)
    try:
        model(replace(batch, extras=extras).to(device))
    except REFUSALS as error:
        return error
    return None


def _message(spec: ModelSpec, data: AlignedSpeech, refused: Sequence[int], said: Exception) -> str:
    named = [
        f"`{data.corpus[index].name}` ({data.sizes[index][0]} frames, {data.sizes[index][1]} "
        f"phonemes)"
        for index in refused[:SHOWN]
    ]
    more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    limits = [f"`{path}` {limit}" for path, limit in limits_of(spec.model_dump())]
    settings = f" The spec has {', '.join(limits)} (`--set PATH=…`)." if limits else ""
    return (
        f"{len(refused)} of {len(data.sizes)} utterances are too long for the model: "
        f"{', '.join(named)}{more}. {said}{settings}"
    )


def limits_of(value: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Yield each setting of a spec called ``max_len`` with its path."""
    if not isinstance(value, Mapping):
        return
    for key, each in value.items():
        here = f"{path}.{key}" if path else str(key)
        if key == "max_len" and isinstance(each, int):
            yield here, each
        yield from limits_of(each, here)
