"""What is odd about a corpus that can be trained on: said loudly, and nothing is changed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kokoro_core.contracts import Frontend, Utterance
from kokoro_core.errors import FrontendError
from kokoro_core.params.component import ComponentParams
from kokoro_plugins.training.data.data_module import AlignedSpeech

FAR_MEAN = 0.5
"""Standard deviations between the mean of the mels and the spec's from which on it is said.

Other recordings of speech differ from LJSpeech by up to a quarter of one. Samples at the scale of
16-bit integers move the mean by four, and a third of digital silence by more than one.
"""

FAR_STD = 1.5
"""How many times as large or as small as the spec's the standard deviation may be."""

MANY = 0.5
"""The share of a corpus from which on something is of all of it rather than of some."""

SHOWN = 5


def corpus_advice(
    data: AlignedSpeech, frontend: Frontend, kind: type[ComponentParams]
) -> list[str]:
    """Return a sentence for each thing that is odd about a corpus.

    Args:
        data: The corpus.
        frontend: Gives the phonemes of a text when the model speaks.
        kind: The settings of the corpus, which may have one for how many mels it keeps.
    """
    return [
        *_statistics(data),
        *_held_out(data),
        *_durations(data),
        *_texts(data, frontend),
        *_kept_mels(data, kind),
    ]


def _statistics(data: AlignedSpeech) -> Iterator[str]:
    found, audio = data.statistics, data.audio
    ratio = found.std / audio.std
    if abs(found.mean - audio.mean) > FAR_MEAN * audio.std or not 1 / FAR_STD < ratio < FAR_STD:
        yield (
            f"the log mels have mean {found.mean:.2f} and std {found.std:.2f}, far from the spec's "
            f"{audio.mean:.2f} and {audio.std:.2f}, so that the model sees numbers far from 0 "
            f"and 1; listen to the recordings (silence, clipping, another scale), and if they are "
            f"right add `--set audio.mean={found.mean:.3f} --set audio.std={found.std:.3f}`"
        )


def _held_out(data: AlignedSpeech) -> Iterator[str]:
    if len(data.held_out) >= len(data.training):
        yield (
            f"{len(data.held_out)} of {len(data.corpus)} utterances are held out, and only "
            f"{len(data.training)} are trained on; a smaller `--holdout` leaves more"
        )


def _durations(data: AlignedSpeech) -> Iterator[str]:
    if data.uniform >= MANY * len(data.corpus):
        yield (
            f"{data.uniform} of {len(data.corpus)} utterances have the same duration for every "
            f"phoneme, which is no alignment; a model learns to speak from when each phoneme is "
            f"really spoken (docs/data.md)"
        )


def _texts(data: AlignedSpeech, frontend: Frontend) -> Iterator[str]:
    chosen = data.texts
    odd = [each.name for each in chosen if _differs(each, frontend)]
    if len(odd) >= MANY * len(chosen):
        yield (
            f"in {len(odd)} of {len(chosen)} utterances the frontend makes other phonemes of the "
            f"text than the durations have, so the model will speak from others than it learns; "
            f"align with the phonemes of `kokoro-core`'s frontend"
        )
    elif odd:
        listed = ", ".join(f"`{name}`" for name in odd[:SHOWN])
        more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
        yield (
            f"the text of {listed}{more} ({len(odd)} of {len(chosen)} that were looked at) has "
            f"other phonemes than its durations; align it again if it was changed"
        )


def _differs(utterance: Utterance, frontend: Frontend) -> bool:
    try:
        return frontend.encode(utterance.text) != utterance.phoneme_indices.tolist()
    except FrontendError:
        return True


def _kept_mels(data: AlignedSpeech, kind: type[ComponentParams]) -> Iterator[str]:
    facts = data.corpus.facts()
    if facts is not None and facts.keeps_mels:
        return
    again = {index: data.corpus[index].mel for index in data.mels}
    made_again = sum(again[i].data_ptr() != mel.data_ptr() for i, mel in data.mels.items())
    if not made_again:
        return
    frames = sum(frames for frames, _ in data.sizes)
    mebibytes = math.ceil(frames * data.audio.n_mels * 4 / 2**20) + 1
    advice = "`--workers 2` makes them beside the training"
    if "cache_mib" in kind.model_fields:
        advice = f"`--corpus-set cache_mib={mebibytes}` keeps all, and {advice}"
    yield (
        f"about {made_again / len(again):.0%} of the mels are not kept by the corpus and made "
        f"anew whenever they are needed; {advice}"
    )
