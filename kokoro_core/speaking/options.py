"""The keywords of speaking, for editors to offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from torch import Tensor


class SpeakingOptions(TypedDict, total=False):
    """Those of `KokoroModel.generate` that fit every sentence; the features of a model come on top.

    What is None is as the spec's section ``generation`` has it.

    Attributes:
        speed: Above 1 is faster.
        min_frames: The least that a predicted phoneme lasts.
        max_mel_len: No sentence gets more frames.
        stop_threshold: A frame whose stop probability is above it is the last.
        length_ratio: No sentence gets more than this multiple of its planned length.
        chunk_frames: Frames made between two looks at whether a sentence has ended.
        max_seconds: After so long a sentence ends.
        seed: For parts that sample.
        options: Numbers with which the parts speak, by name.
    """

    speed: float | Tensor | None
    min_frames: int | None
    max_mel_len: int | None
    stop_threshold: float | None
    length_ratio: float | None
    chunk_frames: int | None
    max_seconds: float | None
    seed: int | Sequence[int] | None
    options: Mapping[str, float] | None
