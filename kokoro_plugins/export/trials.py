"""What a checkpoint and its export are both given: random phonemes, and texts."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kokoro_core import KokoroModel
from kokoro_core.contracts import Frontend
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.exporting.planning import LEAST, most_phonemes
from kokoro_core.exporting.trials import LENGTHS, Trial, examples, random_trials

TEXT = "The quick brown fox jumps over the lazy dog."


def make_trials(
    model: KokoroModel, inputs: GraphInputs, frontend: Frontend | None, texts: Sequence[str] = ()
) -> list[Trial]:
    """Return random utterances of other lengths than the example's, and the texts given.

    Args:
        model: The model.
        inputs: Of its graph.
        frontend: Reads the texts; None: the spec has none.
        texts: What is read beside; none: a sentence, if the frontend can read it.

    Raises:
        ValueError: A text cannot be read or is too short or too long, or there is nothing to
            compare on.
    """
    most = most_phonemes(model.acoustic)
    if texts and frontend is None:
        raise ValueError(f"{texts[0]!r} cannot be read: the model's spec has no `frontend`.")
    read = () if frontend is None else _read(frontend, texts) if texts else _readable(frontend)
    for text, indices in read:
        if not LEAST <= len(indices) <= (most or len(indices)):
            raise ValueError(
                f"{text!r} has {len(indices)} phonemes, and the graph is for {LEAST} to "
                f"{most or 'any number'}."
            )
    trials = [
        *random_trials(model, inputs),
        *(
            Trial(repr(text), torch.tensor([indices]), 1.0, examples(inputs, len(indices)))
            for text, indices in read
        ),
    ]
    if not trials:
        raise ValueError(
            f"There is nothing to compare the export on: the positions of the model's parts allow "
            f"{most} phonemes, and the shortest random utterance has {LENGTHS[0]}."
        )
    return trials


Read = list[tuple[str, list[int]]]


def _read(frontend: Frontend, texts: Sequence[str]) -> Read:
    return [(text, frontend.encode(text)) for text in texts]


def _readable(frontend: Frontend) -> Read:
    """Return a sentence with its indices, if the frontend is one for it."""
    try:
        return _read(frontend, [TEXT])
    except ValueError:  # of another language, or a lexicon without these words
        return []
