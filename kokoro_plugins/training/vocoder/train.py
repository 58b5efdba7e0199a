"""From a spec and recordings to the file of a vocoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from kokoro_core import KokoroModel, ModelSpec
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.errors import CorpusError
from kokoro_core.spec.rules.waves import WAVE
from kokoro_plugins.training.data.fitting import refuse_corpus
from kokoro_plugins.training.fit import fit_task, seed_everything
from kokoro_plugins.training.into_folder import (
    corpus_called,
    goes_on,
    keeping,
    log_into,
    write_losses,
    written_at_the_end,
)
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.parts import refuse_unknown_parts
from kokoro_plugins.training.loop.schedule import Budget
from kokoro_plugins.training.processes.group import is_first_process, take_place
from kokoro_plugins.training.resume.resuming import speaker
from kokoro_plugins.training.resume.starting import refuse_to_overwrite
from kokoro_plugins.training.vocoder.beginning import begin_from, build_vocoder, moments
from kokoro_plugins.training.vocoder.data import VocoderData
from kokoro_plugins.training.vocoder.measures import VocoderFigures, measure_vocoder
from kokoro_plugins.training.vocoder.model_mels import fingerprint_of, mels_of, refuse_other_mels
from kokoro_plugins.training.vocoder.refusals import (
    refuse_crops,
    refuse_longer_crops,
    refuse_objective,
    refuse_spec,
)
from kokoro_plugins.training.vocoder.samples import VocoderSampler
from kokoro_plugins.training.vocoder.settings import VOCODER_FILE, VocoderOptions
from kokoro_plugins.training.vocoder.task import VocoderTask
from kokoro_plugins.training.watching.sinks import refuse_missing
from registry import Plugins, installed_plugins

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainedVocoder:
    """What a training has made.

    Attributes:
        vocoder: On the CPU, in evaluation mode.
        path: Of its file.
        history: Its losses.
        figures: How it does on what was held out; None: nothing was, or another process measured.
    """

    vocoder: NeuralVocoder
    path: Path
    history: History
    figures: VocoderFigures | None


def run_vocoder_training(
    spec: ModelSpec,
    options: VocoderOptions,
    budget: Budget,
    plugins: Plugins | None = None,
    console: Console | None = None,
) -> TrainedVocoder:
    """Train the vocoder of a spec as the command ``train-vocoder`` does: write it and measure it.

    Args:
        spec: It has audio, a frontend, which corpora ask for, and a vocoder with weights.
        options: On what, how and into which folder.
        budget: When to end.
        plugins: Where components come from; None: those that are installed.
        console: Where it says how far it is and what it has made; None: nowhere.

    Raises:
        AudioMismatch: The vocoder's settings do not fit the spec's audio.
        CorpusError: The data is missing or does not fit; the message lists every problem.
        ValueError: The spec has no such vocoder, the objective does not fit, an option is out of
            range, the folder holds a training already, or the loss is not finite.
        CheckpointError: A step could not be saved, or not gone on from, or what the training is to
            begin with is of another vocoder.
        TrainingStopped: A signal came; the last step is saved, and the vocoder is written.
    """
    plugins = plugins or installed_plugins()
    take_place(options.settings)
    refuse_spec(spec)
    refuse_crops(spec, options)
    refuse_objective(spec, options.settings)
    refuse_to_overwrite(options.out, options.saving, VOCODER_FILE, options.loggers)
    refuse_missing(options.loggers)
    seed_everything(options.seed)
    vocoder = first_vocoder(spec, options, plugins)
    task = VocoderTask(spec=spec, plugins=plugins, vocoder=vocoder, weights=options.weights)
    refuse_unknown_parts(options.settings, [name for name, _ in vocoder.named_parameters()])
    task.refuse_losses(options.settings.loss_schedule)
    data = read_recordings(spec, options, plugins)
    say = speaker(console)
    say(describe(data, vocoder))
    if options.checkpoint is None:
        vocoder.fit_mels(*moments(data))
    history = History()
    path = options.out / VOCODER_FILE
    log = log_into(options.out, options.loggers, VocoderSampler(vocoder, data), history)
    with written_at_the_end(options.out, partial(write, task, history, path, say)):
        fit_task(
            task,
            data,
            budget,
            options.settings,
            saving=options.saving,
            console=console,
            observers=keeping(path, options.recipe, "train-vocoder", log),
            history=history,
        )
    return TrainedVocoder(vocoder, path, history, measure(vocoder, data, say))


def measure(vocoder: NeuralVocoder, data: VocoderData, say: Say) -> VocoderFigures | None:
    """Return how a vocoder does on what was held out, if anything was, and say it."""
    if not data.held_out or not is_first_process():
        return None
    figures = measure_vocoder(vocoder, data.held_out_pairs())
    say(str(figures))
    return figures


def first_vocoder(spec: ModelSpec, options: VocoderOptions, plugins: Plugins) -> NeuralVocoder:
    """Return the vocoder that a training begins with, or that its saved weights go into.

    Raises:
        AudioMismatch: Its settings do not fit the spec's audio.
        CheckpointError: The file that it is to begin with is none, or is of another vocoder.
    """
    if options.checkpoint is None or goes_on(options.saving):
        return build_vocoder(spec)
    return begin_from(options.checkpoint, spec, plugins)


def write(task: VocoderTask, history: History, path: Path, say: Say) -> None:
    """Write the vocoder, and its losses beside it."""
    task.write(path)
    write_losses(path.parent, history, say)
    say(f"{path}: the vocoder with its settings")


def read_recordings(spec: ModelSpec, options: VocoderOptions, plugins: Plugins) -> VocoderData:
    """Open a corpus for the vocoder of a spec, and look at every utterance.

    Raises:
        CorpusError: The data is missing or does not fit; the message lists every problem.
        ValueError: An option is out of range.
    """
    assert spec.audio is not None
    params = corpus_called(options.corpus, options.data, options.corpus_settings, plugins)
    model = None
    if options.mels_of is not None:  # float16 is for the file, the mels are calculated in float32
        model = KokoroModel.load(options.mels_of, plugins=plugins, widen=True)
    reader = spec if model is None else model.spec
    if model is not None:
        refuse_other_mels(model.spec, spec.audio, spec.name)
        refuse_corpus(model.spec, params)
    assert reader.frontend is not None
    if WAVE not in params.gives_features:
        raise CorpusError(
            f"A vocoder learns from the feature `{WAVE}`, which the corpus `{params.type}` does "
            f"not have; it has {', '.join(sorted(params.gives_features)) or 'none'}."
        )
    data = VocoderData(
        corpus=params.build(audio=spec.audio, frontend=reader.frontend.build(reader.sizes)),
        audio=spec.audio,
        rows=options.rows,
        crop_frames=options.crop_frames,
        holdout=options.holdout,
        seed=options.seed,
        workers=options.workers,
    )
    refuse_longer_crops(spec, options.crop_frames, data.lengths)
    if model is not None:
        mels = mels_of(model, data.corpus, data.lengths)
        data.read(mels, fingerprint_of(mels))
    return data


def describe(data: VocoderData, vocoder: NeuralVocoder) -> str:
    """Return what is trained on what, in words."""
    figures, audio = data.statistics, data.audio
    minutes = figures.frames * audio.hop_length / audio.sample_rate / 60
    parameters = sum(each.numel() for each in vocoder.parameters())
    return (
        f"{len(data.training)} recordings ({figures.frames:,} frames, {minutes:.1f} minutes), "
        f"{len(data.held_out)} held out; {parameters:,} parameters, of which a sample sees "
        f"{vocoder.receptive_field} frames on either side"
    )
