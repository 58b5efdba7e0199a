"""`write_page`: evaluations as a page that a browser opens from its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import torch

from kokoro_core.measures.mel_distortion import natural_log_mel
from kokoro_core.params.audio import AudioSettings
from kokoro_core.speech import write_sound
from kokoro_plugins.evaluation.bootstrap import Difference
from kokoro_plugins.evaluation.evaluate import SYSTEMS, Evaluation, Outcome
from kokoro_plugins.evaluation.measures import value_of
from kokoro_plugins.evaluation.page.figure import figure
from kokoro_plugins.evaluation.page.style import SCRIPT, STYLE
from kokoro_plugins.evaluation.page.tables import difference_part, evaluation_part
from kokoro_plugins.evaluation.rendition import Rendition
from kokoro_plugins.evaluation.sentences import Sentence

PAGE, SOUNDS = "index.html", "sounds"

ORDERS = {
    "order": "as in the corpus",
    "understood": "least understood first",
    "mark": "worst mark first",
}


def write_page(
    folder: Path,
    evaluations: Sequence[Evaluation],
    other: Evaluation | None = None,
    found: Sequence[Mapping[str, Sequence[Difference]]] = (),
    *,
    seed: int = 0,
) -> Path:
    """Write a page with players, mels, alignments and confusions, and the sounds beside it.

    Args:
        folder: To write into; what it has of an earlier page is written over.
        evaluations: At least one.
        other: The one of them that others are set against; None: there is none.
        found: How each of the others differs from it.
        seed: Of the bootstraps.

    Returns:
        The page.

    Raises:
        OSError: It cannot be written.
    """
    (folder / SOUNDS).mkdir(parents=True, exist_ok=True)
    parts: list[str] = []
    for number, each in enumerate(evaluations):
        parts += evaluation_part(each, seed)
        if other is not None and number < len(found):
            parts += difference_part(each, other, found[number], seed)
    cards = "".join(_cards(folder, evaluations))
    options = "".join(f'<option value="{key}">{name}</option>' for key, name in ORDERS.items())
    title = " · ".join(each.name for each in evaluations)
    page = folder / PAGE
    page.write_text(
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n'
        f'<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n<h1>Evaluation</h1>\n"
        f"{''.join(parts)}\n<h2>Sentences</h2>\n"
        f'<label>Order: <select id="order">{options}</select></label>\n'
        f'<div id="sentences">\n{cards}</div>\n<script>{SCRIPT}</script>\n</html>\n',
        encoding="utf-8",
    )
    return page


def _cards(folder: Path, evaluations: Sequence[Evaluation]) -> Iterator[str]:
    sentences = {each.name: each for of in reversed(evaluations) for each in of.sentences}
    for number, sentence in enumerate(sentences.values()):
        said = list(_said(evaluations, sentence))
        mels = [natural_log_mel(_double(outcome.rendition), audio) for _, outcome, audio in said]
        bounds = min(float(mel.min()) for mel in mels), max(float(mel.max()) for mel in mels)
        figures = "".join(
            figure(title, outcome, mel, bounds, _sound(folder, number, place, outcome.rendition))
            for place, ((title, outcome, _), mel) in enumerate(zip(said, mels, strict=True))
        )
        yield (
            f'<article data-order="{number}"{_keys(evaluations[0], sentence)}>'
            f"<h3>{escape(sentence.text)}</h3><p>{escape(sentence.name)}</p>{figures}</article>\n"
        )


def _said(
    evaluations: Sequence[Evaluation], sentence: Sentence
) -> Iterator[tuple[str, Outcome, AudioSettings]]:
    """Yield who says a sentence and what came of it; what sounds the same is there once."""
    seen: set[tuple[str, bytes]] = set()
    for evaluation in evaluations:
        for system, outcomes in evaluation.outcomes.items():
            outcome = outcomes.get(sentence.name)
            if outcome is None or not len(outcome.rendition.samples):
                continue
            key = (system, outcome.rendition.samples.tobytes())
            if key in seen:
                continue
            seen.add(key)
            of = f": {evaluation.name}" if len(evaluations) > 1 and system != "recordings" else ""
            yield SYSTEMS[system] + of, outcome, evaluation.audio


def _keys(evaluation: Evaluation, sentence: Sentence) -> str:
    """Return by what a sentence is put in order: smaller comes first."""
    outcomes = [
        evaluation.outcomes[system][sentence.name]
        for system in ("model", "texts")
        if sentence.name in evaluation.outcomes.get(system, {})
    ]
    parts = [each.parts for each in outcomes]
    understood, mark = value_of("wer", parts), value_of("mos", parts)
    first = "" if understood is None else f' data-understood="{-understood:.6f}"'
    return first + ("" if mark is None else f' data-mark="{mark:.6f}"')


def _sound(folder: Path, number: int, place: int, rendition: Rendition) -> str:
    """Write the sound of a rendition and return its address from the page."""
    name = f"{SOUNDS}/{number:04}-{place}.flac"
    write_sound(folder / name, torch.from_numpy(rendition.samples), rendition.sample_rate)
    return name


def _double(rendition: Rendition) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rendition.samples.astype(np.float64)
