"""What one look at every utterance tells before training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import Corpus, CorpusFacts, Utterance
from kokoro_core.contracts.utterances import is_uniform
from kokoro_core.errors import CorpusError
from kokoro_plugins.training.data.sizes import Size, Sizes

MAX_PROBLEMS = 20
"""As many problems of a corpus are listed, and the rest counted."""

TEXTS, MELS = 200, 16
"""As many texts and mels, spread evenly over a corpus, are kept for `corpus_advice`."""


@dataclass(frozen=True)
class Statistics:
    """Figures of utterances; the mels are log mels, not normalised.

    Attributes:
        lengths: Frames of each.
        mean_frame: (M,), the mean of each channel.
        mean: Of all numbers of the mels.
        std: Their standard deviation.
    """

    lengths: Sequence[int]
    mean_frame: Tensor
    mean: float
    std: float

    @property
    def frames(self) -> int:
        """Frames in all."""
        return sum(self.lengths)


@dataclass(frozen=True)
class Survey:
    """What one look at every utterance of a corpus tells.

    Attributes:
        sizes: Frames and phonemes of each.
        statistics: Of those that are trained on.
        fingerprint: SHA-256 of all: names, phonemes, durations, mels and features, in their order.
        uniform: Utterances whose durations are all equal, the last phoneme's apart.
        texts: Some of the utterances, without their mels.
        mels: Some of the mels, by the index of their utterance.
    """

    sizes: Sizes
    statistics: Statistics
    fingerprint: str
    uniform: int
    texts: tuple[Utterance, ...]
    mels: dict[int, Tensor]


@final
@dataclass
class MelSums:
    """Adds up mels, holding none of them."""

    lengths: list[int] = field(default_factory=list)
    _sum: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))
    _squares: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))

    def add(self, mel: Tensor) -> None:
        """Add a mel (T, M)."""
        wide = mel.double()
        first = not self.lengths
        self._sum = wide.sum(0) if first else self._sum + wide.sum(0)
        self._squares = wide.square().sum(0) if first else self._squares + wide.square().sum(0)
        self.lengths.append(len(mel))

    def statistics(self) -> Statistics:
        """Return the figures of what was added.

        Raises:
            ValueError: Nothing was.
        """
        if not self.lengths:
            raise ValueError("`utterances` must hold at least one to measure.")
        frames = sum(self.lengths)
        mean_frame = self._sum / frames
        mean = float(mean_frame.mean())
        variance = float((self._squares / frames).mean()) - mean**2
        return Statistics(tuple(self.lengths), mean_frame.float(), mean, max(variance, 0.0) ** 0.5)


def measure(utterances: Iterable[Utterance]) -> Statistics:
    """Look at every utterance once, holding none of them.

    Raises:
        ValueError: `utterances` is empty.
    """
    sums = MelSums()
    for utterance in utterances:
        sums.add(utterance.mel)
    return sums.statistics()


def survey(
    corpus: Corpus,
    problems_of: Callable[[Utterance], Iterable[str]],
    *,
    num_training: int,
    features: Iterable[str] = (),
) -> Survey:
    """Look at every utterance once: a mel that the corpus does not keep is made once for it.

    Of a corpus that gives facts only `MELS` utterances are looked at.

    Args:
        corpus: At least one utterance.
        problems_of: Returns what is wrong with an utterance, in words.
        num_training: How many, the first ones, are trained on.
        features: Names of those that are trained on too.

    Raises:
        CorpusError: Utterances do not fit; the message lists the first problems and counts all.
    """
    if facts := corpus.facts():
        return known(corpus, facts, problems_of, num_training)
    sums, sizes, uniform = MelSums(), list[Size](), 0
    digest, problems = hashlib.sha256(), list[str]()
    texts, mels = list[Utterance](), dict[int, Tensor]()
    with_text, with_mel = spread(len(corpus), TEXTS), spread(len(corpus), MELS)
    for index in range(len(corpus)):
        each = corpus[index]
        wrong = [f"`{each.name}` {problem}" for problem in problems_of(each)]
        problems += wrong
        if wrong:
            continue
        sizes.append((len(each.mel), len(each.phoneme_indices)))
        uniform += each.durations is not None and is_uniform(each.durations)
        for part in _bytes_of(each, features):
            digest.update(part)
        if index < num_training:
            sums.add(each.mel)
        if index in with_text:
            texts.append(_without_mel(each))
        if index in with_mel:
            mels[index] = each.mel
    refuse(problems)
    fingerprint = digest.hexdigest()
    return Survey(Sizes.of(sizes), sums.statistics(), fingerprint, uniform, tuple(texts), mels)


def known(
    corpus: Corpus,
    facts: CorpusFacts,
    problems_of: Callable[[Utterance], Iterable[str]],
    num_training: int,
) -> Survey:
    """Return what is known of a corpus, after a look at some utterances.

    Whether facts are true of a few utterances says whether they are of this corpus; and features
    have the same form in all, so that a few say whether a model can take them.

    Raises:
        CorpusError: One does not fit, or is not as long as the facts say.
    """
    seen = {index: corpus[index] for index in sorted(spread(len(corpus), MELS))}
    sizes = Sizes(facts.frames, facts.phonemes)
    problems = [
        f"`{each.name}` {problem}" for each in seen.values() for problem in problems_of(each)
    ]
    refuse([*problems, *_of_other_size(seen, sizes)])
    lengths = facts.frames[:num_training]
    return Survey(
        sizes=sizes,
        statistics=Statistics(lengths, facts.mean_frame, facts.mel_mean, facts.mel_std),
        fingerprint=facts.fingerprint,
        uniform=facts.uniform,
        texts=tuple(_without_mel(each) for each in seen.values()),
        mels={index: each.mel for index, each in seen.items()},
    )


def _of_other_size(seen: Mapping[int, Utterance], sizes: Sizes) -> Iterator[str]:
    for index, each in seen.items():
        found = (len(each.mel), len(each.phoneme_indices))
        if found != sizes[index]:
            yield (
                f"`{each.name}` has {found[0]} frames and {found[1]} phonemes, but its corpus says "
                f"{sizes[index][0]} and {sizes[index][1]}."
            )


def _without_mel(utterance: Utterance) -> Utterance:
    return replace(utterance, mel=utterance.mel.new_empty(0, utterance.mel.shape[1]))


def spread(count: int, most: int) -> set[int]:
    """Return up to so many of the indices below `count`, spread evenly."""
    chosen = min(count, most)
    return {index * count // chosen for index in range(chosen)}


def refuse(problems: list[str]) -> None:
    """Refuse a corpus with problems.

    Raises:
        CorpusError: There are some; the first are listed and all are counted.
    """
    if len(problems) > MAX_PROBLEMS:
        more = len(problems) - MAX_PROBLEMS
        problems = [*problems[:MAX_PROBLEMS], f"and {more} problems more, {len(problems)} in all."]
    if problems:
        raise CorpusError("\n".join(problems))


def _bytes_of(utterance: Utterance, features: Iterable[str]) -> Iterator[bytes]:
    mel = utterance.mel.contiguous()
    yield repr((utterance.name, tuple(mel.shape), str(mel.dtype))).encode()
    for tensor in (utterance.phoneme_indices, utterance.durations, mel):
        if tensor is not None:
            yield tensor.contiguous().numpy().tobytes()
    for name in features:
        value = utterance.features[name]
        yield name.encode()
        as_bytes = value.contiguous().numpy().tobytes() if isinstance(value, Tensor) else None
        yield repr(value).encode() if as_bytes is None else as_bytes
