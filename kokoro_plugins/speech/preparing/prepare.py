"""`prepare`: from recordings and texts as people have them to a folder that training reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from kokoro_core import ModelSpec, load_spec
from kokoro_core.checkpoints.store import spec_at
from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.held_out import held_out_by_name
from kokoro_core.spec.tree.dump import dump
from kokoro_plugins.speech.corpus_problems import Problems, UtteranceProblem
from kokoro_plugins.speech.preparing.advice import advice_on_all
from kokoro_plugins.speech.preparing.corpus_files import (
    begin_anew,
    write_corpus,
    write_or_remove,
    write_text,
)
from kokoro_plugins.speech.preparing.held_out import advice_on
from kokoro_plugins.speech.preparing.outliers import advice_on_outliers, rank, table_of, worst
from kokoro_plugins.speech.preparing.planning import Planned, plan
from kokoro_plugins.speech.preparing.pool import prepare_all
from kokoro_plugins.speech.preparing.preparation import Preparation
from kokoro_plugins.speech.preparing.prepared import (
    JOURNAL,
    Outcome,
    Prepared,
    is_whole,
    key_of,
    line_of,
    read_journal,
)
from kokoro_plugins.speech.preparing.refining import refine
from kokoro_plugins.speech.preparing.report import REPORT, page
from kokoro_plugins.speech.preparing.settings import PrepareSettings
from kokoro_plugins.speech.preparing.source import Source
from kokoro_plugins.speech.preparing.spec_file import spec_for, text_of
from kokoro_plugins.speech.preparing.viterbi_training import viterbi_training
from kokoro_plugins.speech.preparing.watching import watch
from kokoro_plugins.speech.preparing.work import Order
from registry import Plugins, installed_plugins

SPEC, DROPPED = "spec.yaml", "dropped.csv"


def prepare(
    data: Path,
    out: Path,
    spec: ModelSpec | str | Path | None,
    settings: PrepareSettings | None = None,
    *,
    plugins: Plugins | None = None,
    console: Console | None = None,
) -> Preparation:
    """Make a folder for the corpus `folder` of recordings and texts, with a spec and a report.

    A second call goes on where the first was stopped: what is known of an utterance is taken from
    the journal if its recording, its text and the settings are those of before.

    Args:
        data: Recordings and texts in one of the layouts.
        out: The folder to make or to go on with.
        spec: The model that will be trained; it has audio and a frontend. None: that of the
            settings' `checkpoint`.
        settings: How; None: the defaults.
        plugins: Where components come from; None: the installed plugins.
        console: Where progress is shown; None: nowhere.

    Returns:
        What was prepared; everything of it is written.

    Raises:
        CorpusError: The data does not fit; the message lists what, each kind with ten examples.
        SpecError: The spec has problems.
        ValueError: The spec has no audio or no frontend, or too much would be held out.
    """
    settings = PrepareSettings() if settings is None else settings
    plugins = installed_plugins() if plugins is None else plugins
    if spec is None:
        spec = spec_of_checkpoint(settings.checkpoint, plugins)
    spec = spec if isinstance(spec, ModelSpec) else load_spec(spec, plugins=plugins)
    console = Console(quiet=True) if console is None else console
    if not data.exists():
        raise CorpusError(f"`{data}` is not there; give a folder or a table with recordings.")
    assert_is_ours(out)
    planned = plan(data, out, spec, settings, plugins)
    utterances = _work(planned, settings, plugins, console)
    refuse_problems(data, planned.problems, len(utterances), settings.leave_out)
    utterances = _improved(planned, utterances, settings, console)
    return _finish(planned, utterances, settings, plugins)


def _improved(
    planned: Planned, utterances: list[Prepared], settings: PrepareSettings, console: Console
) -> list[Prepared]:
    """Return utterances with durations that were improved by all recordings, where asked for."""
    order = planned.order
    if order.align == "espeak" and settings.refine:
        return refine(utterances, order.out, MelSpectrogram(audio=order.audio), console)
    if order.align == "viterbi":
        marks, mel = order.frontend.build(order.sizes).marks, MelSpectrogram(audio=order.audio)
        return viterbi_training(utterances, order.out, mel, console, marks)
    return utterances


def spec_of_checkpoint(checkpoint: Path | None, plugins: Plugins) -> ModelSpec:
    """Return the spec of the model that training will begin with.

    Raises:
        CheckpointError: It is damaged or none.
        ValueError: None is named.
    """
    if checkpoint is None:
        raise ValueError("`prepare` needs a `spec`, or a `checkpoint`, whose spec it then takes.")
    return spec_at(checkpoint, plugins)[0]


def assert_is_ours(out: Path) -> None:
    """Refuse a folder that holds something else.

    Raises:
        CorpusError: It is not empty, and no preparation was begun there.
    """
    if out.exists() and not (out / JOURNAL).exists() and (out.is_file() or any(out.iterdir())):
        raise CorpusError(
            f"`{out}` is not empty and was not made by `prepare`; give another folder, or delete "
            f"this one."
        )


def _work(
    planned: Planned, settings: PrepareSettings, plugins: Plugins, console: Console
) -> list[Prepared]:
    """Prepare what the journal does not know yet, and return the utterances in their order."""
    order, sources = planned.order, planned.sources
    (order.out / "wavs").mkdir(parents=True, exist_ok=True)
    decided = _settings_text(order, plugins)
    keys = {source.name: key_of(source, decided) for source in sources}
    journal = order.out / JOURNAL
    known = (
        read_journal(journal.read_text("utf-8", "replace").split("\n")) if journal.exists() else {}
    )
    known = {key: each for key, each in known.items() if is_whole(each, order.out)}
    todo = [source for source in sources if keys[source.name] not in known]
    if todo:
        begin_anew(order.out)
    if len(todo) < len(sources):
        done = len(sources) - len(todo)
        console.print(f"{done:,} of {len(sources):,} were prepared before", soft_wrap=True)
    outcomes = prepare_all(order, todo, settings.workers)
    with journal.open("a", encoding="utf-8", newline="\n") as file:
        file.write("\n")  # ends a line that was half written
        for source, outcome in watch(zip(todo, outcomes, strict=True), len(todo), console):
            known[keys[source.name]] = outcome
            file.write(line_of(keys[source.name], source.name, outcome))
            file.flush()
    return list(
        _sorted_out(sources, [known[keys[each.name]] for each in sources], planned.problems)
    )


def _settings_text(order: Order, plugins: Plugins) -> str:
    """Return what decides an outcome beside its source; mean and std of the mels do not."""
    plain = {
        "audio": {**order.audio.model_dump(), "mean": None, "std": None},
        "frontend": dump(order.frontend, plugins.components),
        "sound": asdict(order.sound),
        "align": order.align,
        "features": order.features,
        **({} if order.checkpoint is None else {"checkpoint": order.checkpoint[1]}),
    }
    return json.dumps(plain, sort_keys=True)


def _sorted_out(
    sources: Iterable[Source], outcomes: Iterable[Outcome], problems: Problems
) -> Iterator[Prepared]:
    """Yield what was prepared, and note the problems of the rest."""
    for source, outcome in zip(sources, outcomes, strict=True):
        if isinstance(outcome, UtteranceProblem):
            problems.add(outcome.kind, f"`{source.name}` {outcome.message}")
        else:
            yield outcome


def refuse_problems(data: Path, problems: Problems, prepared: int, leave_out: bool) -> None:
    """Refuse data with problems, unless they are to be left out.

    Raises:
        CorpusError: The message lists them.
    """
    if problems and not (leave_out and prepared):
        way = f" `--leave-out` goes on with the other {prepared:,}." if prepared else ""
        raise CorpusError(
            f"`{data}` has {len(problems):,} utterances that cannot be learned from.{way}{problems}"
        )
    if not prepared:
        raise CorpusError(f"`{data}` has no utterance; docs/prepare.md shows the layouts.")


def _finish(
    planned: Planned, utterances: list[Prepared], settings: PrepareSettings, plugins: Plugins
) -> Preparation:
    """Write spec, report and corpus."""
    out, spec, features = planned.order.out, planned.spec, planned.order.features
    outliers = rank(utterances)
    dropped = worst(outliers, settings.drop_worst)
    gone = {each.name for each in dropped}
    kept = [each for each in utterances if each.name not in gone]
    held_out = held_out_by_name([each.name for each in kept], settings.holdout)
    changed = spec_for(spec, kept, features, plugins, begun=planned.begun)
    assert changed.audio is not None
    frame = changed.audio.hop_length / changed.audio.sample_rate
    made = Preparation(
        out=out,
        spec=changed,
        utterances=tuple(kept),
        outliers=tuple(outliers),
        dropped=tuple(each for each in utterances if each.name in gone),
        held_out=frozenset(held_out),
        problems=planned.problems,
        advice=(
            *advice_on_all(kept, spec, features),
            *advice_on_outliers(outliers, len(dropped)),
            *advice_on(kept, held_out, frame),
        ),
    )
    head = f"`{spec.name}` with what {len(kept):,} utterances decide"
    write_text(out / SPEC, text_of(changed, plugins, head))
    write_text(out / REPORT, page(made))
    file = out / DROPPED
    write_or_remove(file, bool(dropped), lambda new: new.write_text(table_of(dropped), "utf-8"))
    write_corpus(out, kept, held_out)
    return made
