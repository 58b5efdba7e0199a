import math

import numpy as np
import pytest

from kokoro_core.measures.mel_distortion import Warping
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.evaluation.pitch import pitch_errors, pitch_of

pytest.importorskip("pyworld")
AUDIO = AudioSettings()


def buzz(hertz, seconds=0.4):
    """Harmonics of a voice, by the formula."""
    times = np.arange(int(seconds * AUDIO.sample_rate)) / AUDIO.sample_rate
    waves = [np.sin(2 * np.pi * hertz * n * times) / n for n in range(1, 12)]
    return (0.1 * sum(waves)).astype(np.float32)


@pytest.mark.parametrize("hertz", [110.0, 220.0])
def test_the_pitch_of_a_buzz_is_its_frequency(hertz):
    pitch = pitch_of(buzz(hertz), AUDIO, 34)
    assert pitch.shape == (34,)
    assert np.median(pitch[5:-5]) == pytest.approx(hertz, rel=0.01)


def test_silence_has_no_pitch():
    assert not pitch_of(np.zeros(8000, dtype=np.float32), AUDIO, 20).any()


def test_errors_are_cents_where_both_are_voiced_along_the_alignment():
    mine, theirs = np.array([100.0, 0.0, 200.0]), np.array([110.0, 100.0, 0.0])
    errors = pitch_errors(mine, theirs, Warping(0.0, (0, 0, 1, 2), (0, 1, 1, 2)))
    assert (errors.voiced, errors.wrong_voicing, errors.pairs) == (2, 2, 4)
    assert errors.cents == pytest.approx(1200 * math.log2(1.1))


def test_an_octave_is_1200_cents():
    errors = pitch_errors(np.array([440.0]), np.array([220.0]), Warping(0.0, (0,), (0,)))
    assert errors.cents == pytest.approx(1200)
