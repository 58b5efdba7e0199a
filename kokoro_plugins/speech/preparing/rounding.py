"""From seconds to frames, rounded once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from kokoro_core.params.audio import AudioSettings


def frames_of_ends(
    ends: Sequence[float], start: float, num_frames: int, audio: AudioSettings
) -> tuple[int, ...]:
    """Return the frames between the ends of phonemes; they sum to `num_frames`.

    Each end is rounded by itself, so errors do not add up. What lies before the recording's new
    start has no frame, and the last phoneme lasts to the end.

    Args:
        ends: In seconds, of the recording as it was.
        start: Where the recording begins now.
        num_frames: Of its mel.
        audio: Says how long a frame is.
    """
    per_second = audio.sample_rate / audio.hop_length
    bounds = [math.floor((each - start) * per_second + 0.5) for each in ends[:-1]]
    inside = [min(max(each, 0), num_frames) for each in bounds]
    return tuple(b - a for a, b in itertools.pairwise([0, *inside, num_frames]))
