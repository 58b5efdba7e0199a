"""What there is to prepare, and whether a model can learn from it: told before the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kokoro_core import ModelSpec
from kokoro_core.checkpoints.store import spec_at
from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_core.spec.rules.intake import features_for_training
from kokoro_plugins.speech import durations_file
from kokoro_plugins.speech.corpus_problems import NearMatches, Problems
from kokoro_plugins.speech.features import NAMES
from kokoro_plugins.speech.params import EspeakFrontendParams
from kokoro_plugins.speech.preparing.durations_table import read_table
from kokoro_plugins.speech.preparing.layouts import find, recognise
from kokoro_plugins.speech.preparing.other_language import spoken_in
from kokoro_plugins.speech.preparing.settings import Align, PrepareSettings
from kokoro_plugins.speech.preparing.source import Found, GivenAlignment, Source
from kokoro_plugins.speech.preparing.textgrids import textgrids_in
from kokoro_plugins.speech.preparing.voice_alignment import refuse_voice
from kokoro_plugins.speech.preparing.work import Order
from registry import Plugins


@dataclass(frozen=True)
class Planned:
    """What there is to do, and what is wrong with the data before it is done.

    Attributes:
        spec: Of the model that will be trained, in the language of the data.
        order: What is made of each source.
        sources: The utterances.
        problems: Of the others.
        begun: The spec of the model that training will begin with, if one is named.
    """

    spec: ModelSpec
    order: Order
    sources: list[Source]
    problems: Problems
    begun: ModelSpec | None = None


def plan(
    data: Path, out: Path, spec: ModelSpec, settings: PrepareSettings, plugins: Plugins
) -> Planned:
    """Return what there is to do.

    Raises:
        CorpusError: The data is of no layout that is known, or lacks what the model learns from.
        ValueError: The spec has no audio or no frontend.
    """
    if spec.audio is None or spec.frontend is None:
        raise ValueError(
            f"`{spec.name}` needs the sections `audio` and `frontend` to prepare recordings and "
            f"texts for; add them, or begin with the named spec `quick`."
        )
    found = find(data, settings.layout or recognise(data))
    if settings.language is not None:
        spec = spoken_in(spec, settings.language, [each.text for each in found.sources], plugins)
    assert spec.audio is not None
    assert spec.frontend is not None
    features = tuple(sorted(features_for_training(spec)))
    check_features(spec, features, found.sources)
    sources, align = _aligned(data, spec, spec.audio, settings, found)
    begun, content = _begun(settings.checkpoint, plugins)
    refuse_to_speak(align, settings.checkpoint, begun, spec)
    order = Order(
        out=out,
        audio=spec.audio,
        frontend=spec.frontend,
        sizes=spec.sizes,
        sound=settings.sound,
        align=align,
        features=features,
        checkpoint=(settings.checkpoint, content)
        if settings.checkpoint is not None and align == "voice"
        else None,
    )
    return Planned(spec, order, sources, found.problems, begun)


def _aligned(
    data: Path, spec: ModelSpec, audio: AudioSettings, settings: PrepareSettings, found: Found
) -> tuple[list[Source], Align]:
    """Return the sources with the alignments that somebody made, and where durations come from."""
    align, table, grids = settings.align, _table(data, settings), dict[str, Path]()
    if align == "textgrid" or (align == "auto" and table is None):
        folder = settings.textgrids or (data if data.is_dir() else data.parent)
        grids = textgrids_in(folder)
    if align == "auto":
        align = _choose(spec, table is not None, bool(grids), settings.checkpoint is not None)
    check_alignment(spec, align, table, bool(grids))
    given: Mapping[str, GivenAlignment] = {}
    if align == "table" and table is not None:
        given = read_table(table, audio, found.problems)
        _note_strangers(given, found)
    return list(_with_alignments(found.sources, given, grids)), align


def _table(data: Path, settings: PrepareSettings) -> Path | None:
    beside = data / durations_file.FILE_NAME
    return settings.durations or (beside if beside.is_file() else None)


def _begun(checkpoint: Path | None, plugins: Plugins) -> tuple[ModelSpec | None, str]:
    """Return the spec of the model that training will begin with, and its content hash.

    Raises:
        CheckpointError: It is damaged or none.
    """
    if checkpoint is None:
        return None, ""
    spec, content = spec_at(checkpoint, plugins)
    return spec, content or ""


def refuse_to_speak(
    align: Align, checkpoint: Path | None, begun: ModelSpec | None, spec: ModelSpec
) -> None:
    """Refuse to align by a voice that is not there, or that does not speak as a spec does.

    Raises:
        CorpusError: The message says what would work.
    """
    if align != "voice":
        return
    if checkpoint is None or begun is None:
        raise CorpusError(
            "`--align voice` needs a model that speaks the same phonemes; name one with `--from`."
        )
    refuse_voice(checkpoint, begun, spec)


def _choose(spec: ModelSpec, has_table: bool, has_grids: bool, has_voice: bool) -> Align:
    """Return where durations come from if nobody says it."""
    if has_table:
        return "table"
    if has_grids:
        return "textgrid"
    needs_them = spec.regulator is not None and spec.aligner is None
    if needs_them and has_voice:
        return "voice"
    if not needs_them:
        return "learned"
    return "espeak" if isinstance(spec.frontend, EspeakFrontendParams) else "viterbi"


def check_alignment(spec: ModelSpec, align: Align, table: Path | None, has_grids: bool) -> None:
    """Refuse to take durations from where there are none.

    Raises:
        CorpusError: The message says what would work.
    """
    if align == "learned" and spec.regulator is not None and spec.aligner is None:
        speaks = isinstance(spec.frontend, EspeakFrontendParams)
        raise CorpusError(
            f"`{spec.name}` has no `aligner`, so it learns from durations only, and there are "
            f"none; add an aligner, such as `--set aligner.type=forward_sum`, or `--align "
            f"{'espeak' if speaks else 'viterbi'}`."
        )
    if align == "espeak" and not isinstance(spec.frontend, EspeakFrontendParams):
        raise CorpusError(
            f"`--align espeak` needs the frontend `espeak`, whose phonemes espeak-ng can speak; "
            f"`{spec.name}` has another, so take `--align viterbi`, or `--align voice` with "
            f"`--from`."
        )
    if align == "table" and table is None:
        raise CorpusError(
            "`--align table` needs a table; name it with `--durations FILE`, or put it beside the "
            f"recordings as {durations_file.FILE_NAME}."
        )
    if align == "textgrid" and not has_grids:
        raise CorpusError(
            "`--align textgrid` finds no .TextGrid there; name their folder with `--textgrids`."
        )


def _note_strangers(given: Mapping[str, GivenAlignment], found: Found) -> None:
    """Note durations of utterances that are not there."""
    known = {each.name for each in found.sources}
    near = NearMatches(known)
    for name in [each for each in given if each not in known]:
        other = near.find(name)
        hint = f", but there is {other!r}, whose name differs in a detail" if other else ""
        message = f"`{name}` has durations and no recording with a text{hint}."
        found.problems.add("durations of nothing", message)


def _with_alignments(
    sources: Sequence[Source], given: Mapping[str, GivenAlignment], grids: Mapping[str, Path]
) -> Iterator[Source]:
    for each in sources:
        stem = each.audio.stem
        grid = grids.get(f"{each.audio.parent.name}/{stem}", grids.get(stem))
        yield replace(each, alignment=given.get(each.name), textgrid=grid or grids.get(each.name))


def check_features(spec: ModelSpec, features: Sequence[str], sources: Sequence[Source]) -> None:
    """Refuse data that lacks what the model of a spec learns from.

    Raises:
        CorpusError: The message names it.
    """
    for name in [each for each in features if each not in NAMES]:
        if name not in ("speaker", "language"):
            raise CorpusError(
                f"`{spec.name}` learns from the feature `{name}`, which cannot be made of "
                f"recordings; those that can are {', '.join(NAMES)}."
            )
        without = [each.name for each in sources if getattr(each, name) is None]
        if without:
            raise CorpusError(
                f"`{spec.name}` takes a {name}, which {len(without):,} of {len(sources):,} "
                f"utterances do not have, `{without[0]}` for one; name it in a column `{name}`, or "
                f"by a folder a speaker (docs/prepare.md)."
            )
