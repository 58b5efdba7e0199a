"""Train several specs with the same budget, several seeds each, and set them side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from rich.console import Console

from kokoro_core import KokoroModel
from kokoro_core.contracts import Corpus
from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS
from kokoro_core.spec.views.resolve import spec_hash
from kokoro_plugins.training.comparison.contender import Contender
from kokoro_plugins.training.comparison.done_runs import DoneRuns
from kokoro_plugins.training.comparison.looks import Looks
from kokoro_plugins.training.comparison.table import Comparison, Run
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.fitting import learned_from, refuse_corpus
from kokoro_plugins.training.evaluation import distortion
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.parts import names_of, refuse_unknown_parts
from kokoro_plugins.training.loop.schedule import Budget, Stopwatch
from kokoro_plugins.training.loop.stages import refuse_objective
from kokoro_plugins.training.loop.trainer import trains_on_cpu
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.recipe.loss_schedule import refuse_unknown_losses
from kokoro_plugins.training.resume.conditions import processor_name
from kokoro_plugins.training.resume.starting import refuse_holdout, refuse_out, refuse_spec
from kokoro_plugins.training.resume.traces import leaving_nothing
from kokoro_plugins.training.settings import HELD_OUT, CompareOptions
from registry import Plugins

NEVER = 10**9
"""Steps between two validations: the looks are instead of them."""

RUNS, FIGURES, TABLE = FILES = ("runs.jsonl", "comparison.json", "comparison.md")
"""What a comparison writes into its folder, beside the corpus that it makes."""

MakeBudget = Callable[[Stopwatch], Budget]


@dataclass(frozen=True)
class Trial:
    """A contender and a seed."""

    contender: Contender
    seed: int


def run_comparison(
    contenders: Sequence[Contender],
    options: CompareOptions,
    make_budget: MakeBudget,
    plugins: Plugins,
    console: Console,
) -> Comparison:
    """Train every contender with every seed and write the table.

    Trainings that a comparison in the same folder has done before are not done again.

    Raises:
        ValueError: Contenders cannot be compared, or an option is out of range.
        CorpusError: The data is missing or does not fit.
    """
    check_comparable(contenders)
    refuse_out(options.out, FILES, () if options.data else ("corpus",))
    if options.data is None:
        refuse_holdout(options.holdout or HELD_OUT, options.sentences)
    done = DoneRuns(options.out / RUNS)
    with leaving_nothing(options.out):
        corpus = open_corpus(contenders, options, plugins)
        trials = [Trial(*each) for each in product(contenders, range(options.seeds))]
        budget = str(make_budget(Stopwatch()))
        runs = []
        for number, trial in enumerate(trials, start=1):
            data = _data(trial, corpus, options)
            identity = _identity(trial, data, budget, options, plugins)
            said = f"{number} of {len(trials)}: {trial.contender.label}, seed {trial.seed}"
            console.print(said, soft_wrap=True)
            run = done.find(identity)
            if run is None:
                run = train_one(trial, data, options, make_budget, plugins, console)
                done.add(identity, run)
            runs.append(replace(run, label=trial.contender.label))
        found = Comparison(budget=budget, conditions=_conditions(options), runs=runs)
        write_json(options.out / FIGURES, found.as_dict())
        (options.out / TABLE).write_text(found.markdown(), encoding="utf-8")
    return found


def check_comparable(contenders: Sequence[Contender]) -> None:
    """Refuse contenders whose errors mean different things.

    Raises:
        ValueError: They have other mels or other phonemes, or cannot be trained.
    """
    first = contenders[0]
    for each in contenders:
        refuse_spec(each.spec, each.label)
        refuse_unknown_losses(each.spec, each.settings.loss_schedule)
        refuse_objective(each.settings, each.spec)
        refuse_unknown_parts(each.settings, names_of(each.spec))
        for part in ("audio", "frontend"):
            if getattr(each.spec, part) != getattr(first.spec, part):
                raise ValueError(
                    f"`{each.label}` and `{first.label}` have different `{part}` sections, so "
                    f"their errors mean different things; make the sections equal."
                )


def open_corpus(
    contenders: Sequence[Contender], options: CompareOptions, plugins: Plugins
) -> Corpus:
    """Open the corpus that all contenders train on, or make the demo's where none is given.

    Raises:
        CorpusError: It lacks what one of them learns from, is missing or does not fit.
    """
    settings: dict[str, Any] = {"path": str(options.data or options.out / "corpus")}
    if options.data is None:
        settings |= {"sentences": options.sentences}
    spec = contenders[0].spec
    assert spec.audio is not None
    assert spec.frontend is not None
    params = params_from(plugins.components.get(CORPUS, options.corpus_kind), settings)
    for each in contenders:
        refuse_corpus(each.spec, params)
    return params.build(audio=spec.audio, frontend=spec.frontend.build(spec.sizes))


def train_one(
    trial: Trial,
    data: AlignedSpeech,
    options: CompareOptions,
    make_budget: MakeBudget,
    plugins: Plugins,
    console: Console,
) -> Run:
    """Train one contender with one seed and measure it."""
    stopwatch = make_stopwatch(options.device)
    budget = make_budget(stopwatch)
    shares = [(number + 1) / options.looks for number in range(options.looks)]
    looks = Looks(data=data, shares=shares, stopwatch=stopwatch)
    seed_everything(trial.seed)
    contender = trial.contender
    model = KokoroModel.from_spec(contender.spec, plugins=plugins)
    settings = replace(contender.settings, validate_every=NEVER)
    before = stopwatch()
    fit(model, data, budget, settings, console=console, observers=[looks])
    return Run(
        label=contender.label,
        seed=trial.seed,
        parameters=sum(each.numel() for each in model.parameters()),
        seconds=stopwatch() - before,
        distortion=distortion(model, data.val_dataloader(), data.audio),
        utterances=len(data.held_out),
        looks=tuple(looks.looks),
    )


def make_stopwatch(device: str) -> Stopwatch:
    """Return what the time of a training is taken with: on a CPU, its own time."""
    if trains_on_cpu(device):
        return Stopwatch(time.process_time, torch.get_num_threads())
    return Stopwatch(time.monotonic)


def _data(trial: Trial, corpus: Corpus, options: CompareOptions) -> AlignedSpeech:
    spec = trial.contender.spec
    assert spec.audio is not None
    said = HELD_OUT if corpus.held_out is None else corpus.held_out
    return AlignedSpeech(
        corpus=corpus,
        audio=spec.audio,
        pad_id=spec.pad_id,
        batch_frames=trial.contender.batch_frames,
        holdout=said if options.holdout is None else options.holdout,
        seed=trial.seed,
        **learned_from(spec),
    )


def _identity(
    trial: Trial, data: AlignedSpeech, budget: str, options: CompareOptions, plugins: Plugins
) -> dict[str, Any]:
    return {
        "spec": spec_hash(trial.contender.spec, plugins),
        **trial.contender.recipe(),
        "seed": trial.seed,
        "budget": budget,
        "looks": options.looks,
        "holdout": len(data.held_out),
        "data": data.fingerprint,
        "conditions": _conditions(options),
    }


def _conditions(options: CompareOptions) -> str:
    threads = torch.get_num_threads()
    return f"{processor_name()}, {threads} thread{'s' if threads > 1 else ''}"
