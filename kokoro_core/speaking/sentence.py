"""One sentence, from what was generated of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kokoro_core.speaking.pauses import pause_after
from kokoro_core.speaking.readings import Reading
from kokoro_core.speaking.result import SpokenSentence, ended_well
from kokoro_core.speaking.times import TimedWord, timed_words
from kokoro_core.spec.rules.waves import gives_wave

if TYPE_CHECKING:
    from torch import Tensor

    from kokoro_core.generation import Generation
    from kokoro_core.spec.tree.model_spec import ModelSpec


def only_row(result: Generation, row: int, reading: Reading) -> Generation:
    """Return one row of a generation as if it had been generated alone.

    Args:
        result: Of several rows.
        row: Which one.
        reading: The sentence that is spoken in it.
    """
    from kokoro_core.generation import Generation

    frames, durations = int(result.lengths[row]), result.durations
    return Generation(
        result.mel[row : row + 1, :frames],
        result.lengths[row : row + 1],
        None if durations is None else durations[row : row + 1, : len(reading.indices)],
        result.stop_reasons[row : row + 1],
    )


def spoken_sentence(
    spec: ModelSpec, reading: Reading, result: Generation, samples: Tensor, speed: Any
) -> SpokenSentence:
    """Return one sentence, the only row of a generation, as it was spoken.

    Args:
        spec: Of the model.
        reading: The sentence.
        result: What was generated.
        samples: (S,), what the vocoder made of it.
        speed: At which it was spoken.
    """
    audio = spec.audio
    assert audio is not None
    frames = int(result.lengths[0])
    return SpokenSentence(
        text=reading.text.strip(),
        samples=samples[: frames * audio.hop_length],
        sample_rate=audio.sample_rate,
        pause=pause_after(reading.text) / (speed if isinstance(speed, int | float) else 1.0),
        frames=frames,
        planned_frames=None if result.durations is None else int(result.durations[0].sum()),
        stop_reason=str(result.stop_reasons[0]),
        unspoken=_unspoken(reading, result),
        notes=reading.notes,
        words=_words(reading, result, audio.hop_length / audio.sample_rate),
        mel=None
        if gives_wave(spec.decoder)
        else (result.mel[0].float() * audio.std + audio.mean).cpu(),
    )


def _unspoken(reading: Reading, result: Generation) -> str:
    """Return the text from the word of the last frame on, if words are missing."""
    if result.durations is None or reading.positions is None:
        return ""
    frames, durations = int(result.lengths[0]), result.durations[0]
    if ended_well(str(result.stop_reasons[0]), frames, int(durations.sum())):
        return ""
    spoken = int((durations.cumsum(0) <= frames).sum())
    if spoken >= len(reading.positions):
        return ""
    return reading.text[reading.positions[spoken] :].strip()


def _words(reading: Reading, result: Generation, seconds_per_frame: float) -> tuple[TimedWord, ...]:
    """Return what is heard when, as far as there is a plan."""
    if result.durations is None:
        return ()
    ends = result.durations[0].cumsum(0).clamp_max(int(result.lengths[0]))
    seconds = [end * seconds_per_frame for end in ends.tolist()]
    return timed_words(reading.text, reading.symbols, reading.positions, seconds)
