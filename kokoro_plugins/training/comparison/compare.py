"""Train several specs with the same budget, several seeds each, and set them side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from kokoro_core import KokoroModel
from kokoro_core.contracts import Corpus
from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS
from kokoro_core.spec.views.resolve import spec_hash
from kokoro_plugins.training.comparison.contender import Contender
from kokoro_plugins.training.comparison.looks import Looks
from kokoro_plugins.training.comparison.table import Comparison, Run
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import distortion
from kokoro_plugins.training.fit import fit, seed_everything, trains_on_cpu
from kokoro_plugins.training.loop.schedule import Budget, Stopwatch
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.resume.conditions import processor_name
from kokoro_plugins.training.settings import CompareOptions
from registry import Plugins

NEVER = 10**9
"""Steps between two validations: the looks are instead of them."""

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
    options.out.mkdir(parents=True, exist_ok=True)
    corpus = open_corpus(contenders[0], options, plugins)
    done = DoneRuns(options.out / "runs.jsonl")
    trials = [Trial(*each) for each in product(contenders, range(options.seeds))]
    budget = str(make_budget(Stopwatch()))
    runs = []
    for number, trial in enumerate(trials, start=1):
        data = _data(trial, corpus, options)
        identity = _identity(trial, data, budget, options, plugins)
        console.print(f"{number} of {len(trials)}: {trial.contender.label}, seed {trial.seed}")
        run = done.find(identity)
        if run is None:
            run = train_one(trial, data, options, make_budget, plugins, console)
            done.add(identity, run)
        runs.append(replace(run, label=trial.contender.label))
    found = Comparison(budget=budget, conditions=_conditions(options), runs=runs)
    write_json(options.out / "comparison.json", found.as_dict())
    (options.out / "comparison.md").write_text(found.markdown(), encoding="utf-8")
    return found


def check_comparable(contenders: Sequence[Contender]) -> None:
    """Refuse contenders whose errors mean different things.

    Raises:
        ValueError: They have other mels or other phonemes, or cannot be trained.
    """
    first = contenders[0]
    for each in contenders:
        if each.spec.audio is None or each.spec.frontend is None:
            raise ValueError(
                f"`{each.label}` has no `audio` or no `frontend`; training reads recordings and "
                f"phonemes, which needs both."
            )
        for part in ("audio", "frontend"):
            if getattr(each.spec, part) != getattr(first.spec, part):
                raise ValueError(
                    f"`{each.label}` and `{first.label}` have different `{part}` sections, so "
                    f"their errors mean different things; make the sections equal."
                )


def open_corpus(contender: Contender, options: CompareOptions, plugins: Plugins) -> Corpus:
    """Open the corpus that all contenders train on, or make the demo's where none is given."""
    settings: dict[str, Any] = {"path": str(options.data or options.out / "corpus")}
    if options.data is None:
        settings |= {"sentences": options.sentences}
    spec = contender.spec
    assert spec.audio is not None
    assert spec.frontend is not None
    params = params_from(plugins.components.get(CORPUS, options.corpus), settings)
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
    looks = Looks(data=data, budget=budget, shares=shares, stopwatch=stopwatch)
    seed_everything(trial.seed)
    contender = trial.contender
    model = KokoroModel.from_spec(contender.spec, plugins=plugins)
    settings = replace(contender.settings, validate_every=NEVER)
    before = stopwatch()
    fit(model, data, budget, settings, console=console, callbacks=[looks])
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


class DoneRuns:
    """Runs in a file, a line each, found again by what decided them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, identity: dict[str, Any]) -> Run | None:
        """Return the run that was done with the same settings, or None."""
        wanted = json.loads(json.dumps(identity))
        for line in self._lines():
            entry = json.loads(line)
            if entry["identity"] == wanted:
                return Run.from_dict(entry["run"])
        return None

    def add(self, identity: dict[str, Any], run: Run) -> None:
        """Note a run that is done."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"identity": identity, "run": run.as_dict()}) + "\n")

    def _lines(self) -> Iterator[str]:
        if self._path.exists():
            # A line without its end was broken off.
            text = self._path.read_text("utf-8")
            yield from text[: text.rfind("\n") + 1].splitlines()


def _data(trial: Trial, corpus: Corpus, options: CompareOptions) -> AlignedSpeech:
    spec = trial.contender.spec
    assert spec.audio is not None
    return AlignedSpeech(
        corpus=corpus,
        audio=spec.audio,
        pad_id=spec.pad_id,
        batch_frames=trial.contender.batch_frames,
        holdout=options.holdout,
        seed=trial.seed,
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
        "holdout": options.holdout,
        "data": data.fingerprint,
        "conditions": _conditions(options),
    }


def _conditions(options: CompareOptions) -> str:
    threads = torch.get_num_threads()
    return f"{processor_name()}, {threads} thread{'s' if threads > 1 else ''}"
