"""The report of a preparation: one page that needs nothing but the recordings beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

import numpy as np
import torch

from kokoro_core.measures.mel_picture import mel_picture
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.speech.corpus_problems import EXAMPLES
from kokoro_plugins.speech.preparing.preparation import Preparation
from kokoro_plugins.speech.preparing.prepared import Prepared
from kokoro_plugins.speech.preparing.spec_file import names_of
from kokoro_plugins.speech.recordings import read_samples

REPORT = "report.html"

SHOWN = 6
"""Utterances that are shown in pictures, spread evenly over the corpus."""

WORST = 20
"""Utterances least like the others that are shown."""

HEIGHT, LABELS = 160, 16
"""Of a picture, and of the phonemes below it."""

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
figure { margin: 1.5rem 0 } svg { max-width: 100%; height: auto; background: #fff }
audio { height: 2rem } li { margin: .2rem 0 } code { font-size: .92em }
"""


def page(made: Preparation) -> str:
    """Return the report as HTML."""
    parts = [
        f"<h1>{escape(made.out.name)}</h1>",
        _table(_figures(made)),
        *_listed("What is odd", made.advice),
        *_problems(made),
        *_outliers(made),
        "<h2>Phonemes</h2>",
        f"<p>{_symbols(made)}</p>",
        f"<h2>{min(SHOWN, len(made.utterances))} of the utterances</h2>",
        *(figure(made, each) for each in spread(made.utterances, SHOWN)),
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>{escape(made.out.name)}</title>\n<style>{STYLE}</style>\n{body}\n</html>\n"
    )


def spread(utterances: tuple[Prepared, ...], most: int) -> list[Prepared]:
    """Return up to so many utterances, spread evenly."""
    chosen = min(len(utterances), most)
    return [utterances[index * len(utterances) // chosen] for index in range(chosen)]


def _figures(made: Preparation) -> Iterator[tuple[str, str]]:
    audio = made.spec.audio
    assert audio is not None
    frame = audio.hop_length / audio.sample_rate
    lengths = [each.frames * frame for each in made.utterances]
    yield "utterances", f"{len(lengths):,}, {len(made.held_out):,} of them held out"
    yield "speech", f"{made.seconds / 60:,.1f} min, {audio.sample_rate:,} Hz"
    yield "an utterance", f"{min(lengths):.1f} to {max(lengths):.1f} s"
    yield "silence cut", f"{(sum(e.seconds for e in made.utterances) - made.seconds) / 60:,.1f} min"
    gains = [each.gain for each in made.utterances]
    yield "gain", f"{min(gains):+.1f} to {max(gains):+.1f} dB"
    yield "log mel", f"mean {audio.mean:.3f}, std {audio.std:.3f}"
    for name, feature in made.spec.features.items():
        yield name, f"mean {feature.mean:.3f}, std {feature.std:.3f} {feature.unit or ''}"
    for what in ("speaker", "language"):
        names = names_of(made.utterances, what)
        if names:
            listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
            yield f"{what}s", f"{len(names)}: {listed}"
    aligned = sum(each.durations is not None for each in made.utterances)
    yield "durations", f"of {aligned:,} utterances" if aligned else "found while training"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{''.join(cells)}</table>"


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    items = "".join(f"<li>{escape(each)}</li>" for each in lines)
    if items:
        yield f"<h2>{escape(title)}</h2><ul>{items}</ul>"


def _problems(made: Preparation) -> Iterator[str]:
    for kind, messages in made.problems.of_kind.items():
        more = [f"… and {len(messages) - EXAMPLES:,} more"] if len(messages) > EXAMPLES else []
        title = f"Left out: {kind} ({len(messages):,})"
        yield from _listed(title, [*messages[:EXAMPLES], *more])


def _outliers(made: Preparation) -> Iterator[str]:
    """Yield the utterances that are least like the others, those that were dropped among them."""
    by_name = {each.name: each for each in (*made.utterances, *made.dropped)}
    dropped = {each.name for each in made.dropped}
    yield "<h2>Least like the others</h2>" if made.outliers else ""
    if dropped:
        yield f"<p>The first {len(dropped):,} were left out; dropped.csv lists them.</p>"
    for each in made.outliers[:WORST]:
        said = f"score {each.score:.1f}: {each.why}" if each.why else ""
        yield figure(made, by_name[each.name], said + " (left out)" * (each.name in dropped))


def _symbols(made: Preparation) -> str:
    """Return how often each phoneme comes, and which of the frontend's never do."""
    counts = Counter(symbol for each in made.utterances for symbol in each.symbols)
    listed = ", ".join(f"<code>{escape(name)}</code> {n:,}" for name, n in counts.most_common())
    assert made.spec.frontend is not None
    symbols = made.spec.frontend.build(made.spec.sizes).symbols
    never = [each for index, each in enumerate(symbols) if index != made.spec.pad_id]
    never = [f"<code>{escape(each)}</code>" for each in never if each not in counts]
    unheard = f"</p><p>Never there, so that the model cannot learn them: {', '.join(never)}."
    return listed + (unheard if never else "")


def figure(made: Preparation, utterance: Prepared, said: str = "") -> str:
    """Return an utterance with its mel, its phonemes where they are aligned, and a player."""
    assert made.spec.audio is not None
    path = made.out / "wavs" / f"{utterance.name}.wav"
    mel = MelSpectrogram(audio=made.spec.audio)(torch.from_numpy(read_samples(path))).numpy()
    width = max(1, round(3 * len(mel)))
    below = "".join(_phonemes(utterance, width / len(mel)))
    held_out = " (held out)" if utterance.name in made.held_out else ""
    return (
        f"<figure><figcaption><b>{escape(utterance.name)}</b>{held_out} {escape(said)}<br>"
        f"{escape(utterance.text)}</figcaption>"
        f'<svg viewBox="0 0 {width} {HEIGHT + LABELS}" width="{width}">'
        f'<image href="{mel_picture(np.asarray(mel))}" width="{width}" height="{HEIGHT}" '
        f'preserveAspectRatio="none"/>{below}</svg><br>'
        f'<audio controls preload="none" src="wavs/{quote(path.name)}"></audio></figure>'
    )


def _phonemes(utterance: Prepared, scale: float) -> Iterator[str]:
    """Yield a line at the end of each phoneme and the phoneme below it."""
    start = 0
    for symbol, frames in zip(utterance.symbols, utterance.durations or (), strict=False):
        end, middle = (start + frames) * scale, (start + frames / 2) * scale
        yield f'<line x1="{end:.1f}" x2="{end:.1f}" y2="{HEIGHT}" stroke="#d33" stroke-width=".6"/>'
        yield (
            f'<text x="{middle:.1f}" y="{HEIGHT + 12}" font-size="11" text-anchor="middle">'
            f"{escape(symbol)}</text>"
        )
        start += frames
