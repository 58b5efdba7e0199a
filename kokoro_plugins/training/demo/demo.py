"""The demo: a corpus, a training, a checkpoint, speech and what can be measured of it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.contracts import Corpus, Frontend, Vocoder
from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS
from kokoro_core.speaking.vocoding import without_weights
from kokoro_plugins.training.data.collate import collate, normalise
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.data.fitting import learned_from
from kokoro_plugins.training.demo.listening import Listener
from kokoro_plugins.training.demo.promise import Forecast, UntilKept
from kokoro_plugins.training.demo.report import CorpusFigures, DemoReport, TrainingFigures
from kokoro_plugins.training.evaluation import evaluate
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.loop.schedule import Budget, FrameBudget
from kokoro_plugins.training.metrics import copy_error, mean_frame_error
from kokoro_plugins.training.output import write_json
from kokoro_plugins.training.pictures import draw_losses
from kokoro_plugins.training.resume.starting import refuse_holdout, refuse_out, refuse_spec
from kokoro_plugins.training.resume.traces import leaving_nothing
from kokoro_plugins.training.settings import DemoOptions, Promise
from registry import Plugins

LISTENED = ("training-sentence", "held-out-sentence")
FILES = ("model.safetensors", "losses.png", "losses.json", "report.md", "report.json")
FOLDERS = (*LISTENED, "corpus")
"""What the demo writes into its folder."""


@dataclass(frozen=True)
class Surroundings:
    """What stands around a model that speaks from text."""

    audio: AudioSettings
    frontend: Frontend
    vocoder: Vocoder


def surroundings(spec: ModelSpec) -> Surroundings:
    """Build what stands around the model of a spec.

    Raises:
        ValueError: The spec lacks a part that speaking needs, or needs side inputs, or its vocoder
            has no weights.
    """
    if spec.audio is None or spec.frontend is None or spec.vocoder is None:
        absent = [f"`{n}`" for n in ("audio", "frontend", "vocoder") if getattr(spec, n) is None]
        raise ValueError(
            f"The spec `{spec.name}` has no {' and no '.join(absent)}; the demo turns text into "
            f"sound, which needs audio, frontend and vocoder."
        )
    refuse_spec(spec)
    if spec.vocoder.trained:
        raise ValueError(without_weights(spec))
    return Surroundings(spec.audio, spec.frontend.build(spec.sizes), spec.vocoder.build(spec.audio))


def run_demo(
    spec: ModelSpec, options: DemoOptions, budget: Budget, plugins: Plugins, console: Console
) -> DemoReport:
    """Run the demo and write all its files.

    Raises:
        ValueError: The spec lacks a part that speaking needs, or an option is out of range.
        CorpusError: The folder holds another corpus.
    """
    around = surroundings(spec)
    refuse_out(options.out, FILES, FOLDERS)
    refuse_holdout(options.holdout, options.sentences)
    with leaving_nothing(options.out):
        return _train_and_listen(spec, around, options, budget, plugins, console)


def _train_and_listen(
    spec: ModelSpec,
    around: Surroundings,
    options: DemoOptions,
    budget: Budget,
    plugins: Plugins,
    console: Console,
) -> DemoReport:
    """Train on the demo's corpus, and measure the model that a checkpoint gives."""
    corpus = make_corpus(around, options, plugins)
    data = AlignedSpeech(
        corpus=corpus,
        audio=around.audio,
        pad_id=spec.pad_id,
        batch_frames=options.batch_frames,
        holdout=options.holdout,
        seed=options.seed,
        **learned_from(spec),
    )
    console.print(f"corpus: {len(corpus)} sentences, {options.holdout} of them held out")
    seed_everything(options.seed)
    trained = KokoroModel.from_spec(spec, plugins=plugins)
    observers = demo_observers(data, options.promise, budget, console)
    history = fit(trained, data, budget, options.settings, console=console, observers=observers)
    checkpoint = options.out / "model.safetensors"
    trained.save(checkpoint)
    write_json(options.out / "losses.json", history.as_dict())
    draw_losses(options.out / "losses.png", history)
    console.print("measuring and speaking …")
    model = KokoroModel.load(checkpoint, plugins=plugins)
    listener = Listener(model, around.frontend, around.vocoder, around.audio)
    return _report(spec, options, data, history, model, listener)


def demo_observers(
    data: AlignedSpeech, promise: Promise | None, budget: Budget, console: Console
) -> list[Observer]:
    """Return what follows the demo's training."""
    forecast = Forecast(console=console)
    if promise is None or not isinstance(budget, FrameBudget):
        return [forecast]
    kept = UntilKept(promise=promise, data=data, budget=budget, console=console)
    return [forecast, kept]


def make_corpus(around: Surroundings, options: DemoOptions, plugins: Plugins) -> Corpus:
    """Make the corpus `espeak` in the demo's folder, or read it if it is there.

    Raises:
        CorpusError: The folder holds another corpus.
    """
    settings = {
        "path": str(options.out / "corpus"),
        "sentences": options.sentences,
        "seed": options.seed,
    }
    params = params_from(plugins.components.get(CORPUS, "espeak"), settings)
    return params.build(audio=around.audio, frontend=around.frontend)


def _report(
    spec: ModelSpec,
    options: DemoOptions,
    data: AlignedSpeech,
    history: History,
    model: KokoroModel,
    listener: Listener,
) -> DemoReport:
    """Let the model speak, measure it and write the report."""
    out = options.out
    said = [
        listener.say(data.training[0], out / LISTENED[0], held_out=False),
        listener.say(data.held_out[0], out / LISTENED[1], held_out=True),
    ]
    sentences = list(data.held_out)
    batch = collate(sentences, data.audio, data.pad_id, features=data.features)
    mels = [normalise(each.mel, data.audio) for each in sentences]
    report = DemoReport(
        spec=spec.name,
        parameters=sum(each.numel() for each in model.parameters()),
        seed=options.seed,
        corpus=CorpusFigures.of(data),
        training=TrainingFigures.of(history),
        held_out=evaluate(model, [batch]),
        ended_in_time_alone=listener.ended_in_time(batch),
        copied_frames=copy_error(mels),
        mean_frame=mean_frame_error(mels, normalise(data.statistics.mean_frame, data.audio)),
        distortions=listener.distortions(batch),
        promise=options.promise,
        sentences=said,
        files={
            "model.safetensors": "the model with its spec",
            "losses.png": "the losses over the steps",
            "losses.json": "the same in figures",
            "report.md": "this report",
            "report.json": "this report for programs",
            "corpus": "the corpus",
        },
    )
    report.write(out)
    return report
