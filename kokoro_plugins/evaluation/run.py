"""From checkpoints to evaluations: open the models and the corpus, and listen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kokoro_core import KokoroModel
from kokoro_core.checkpoints.vocoder_file import load_vocoder
from kokoro_core.cli.around import overrides_around, set_around
from kokoro_core.cli.corpus_settings import read_corpus_settings
from kokoro_core.cli.spoken_with import numbers_of, spoken_with
from kokoro_core.contracts import Frontend
from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS
from kokoro_core.speaking.loading import load_to_speak
from kokoro_plugins.evaluation.evaluate import Evaluation, evaluate
from kokoro_plugins.evaluation.measuring import Listener
from kokoro_plugins.evaluation.memory import Memory
from kokoro_plugins.evaluation.naturalness import INSTALL, DistillMos, is_installed
from kokoro_plugins.evaluation.recognition import Whisper
from kokoro_plugins.evaluation.sentences import (
    Sentence,
    choose,
    held_out_sentences,
    read_texts,
)
from kokoro_plugins.evaluation.settings import EvaluationSettings
from kokoro_plugins.evaluation.watching import watched
from registry import Plugins


def run_evaluation(
    checkpoints: Sequence[Path],
    settings: EvaluationSettings,
    plugins: Plugins,
    note: Callable[[str], None],
) -> list[Evaluation]:
    """Measure models, one after the other, on the same sentences.

    Args:
        checkpoints: Each with its spec inside.
        settings: What is measured, and on what.
        plugins: Where components come from.
        note: Is given a sentence about what is left out.

    Raises:
        ValueError: An option is wrong, or a model cannot speak.
        CheckpointError: A checkpoint is none.
        CorpusError: The corpus is none, or not one for the model.
        ModuleNotFoundError: A package is not installed.
    """
    listener = listener_of(settings, note)
    models = [_load(path, settings, plugins) for path in checkpoints]
    return [
        _evaluate(model, str(path), settings, plugins, listener)
        for path, model in zip(checkpoints, models, strict=True)
    ]


def listener_of(settings: EvaluationSettings, note: Callable[[str], None]) -> Listener:
    """Return who listens."""
    recognizer = (
        Whisper(folder=settings.recognizer, language=settings.language)
        if settings.listens
        else None
    )
    rater = DistillMos() if settings.mos and is_installed() else None
    if settings.mos and rater is None:
        note(
            f"note: Distill-MOS is not measured; `{'` and `'.join(INSTALL)}` bring it, and "
            f"`--no-mos` leaves it out."
        )
    memory = Memory(settings.remember)
    return Listener(recognizer=recognizer, rater=rater, language=settings.language, memory=memory)


def _evaluate(
    model: KokoroModel,
    name: str,
    settings: EvaluationSettings,
    plugins: Plugins,
    listener: Listener,
) -> Evaluation:
    if model.spec.frontend is None:
        raise ValueError(f"`{name}` has no `frontend`, so it cannot read.")
    if model.spec.audio is None:
        raise ValueError(f"`{name}` has no `audio`, so it cannot be heard.")
    given = given_to(model, settings)
    frontend = model.spec.frontend.build(model.spec.sizes)
    sentences = sentences_for(model, frontend, settings, plugins)
    with watched(name, len(sentences)) as advance:
        return evaluate(
            model,
            sentences,
            frontend=frontend,
            listener=listener,
            beside=settings.beside,
            seed=settings.seed,
            given=given,
            name=name,
            progress=advance,
        )


def sentences_for(
    model: KokoroModel, frontend: Frontend, settings: EvaluationSettings, plugins: Plugins
) -> list[Sentence]:
    """Return the sentences that a model is to speak."""
    found: list[Sentence] = []
    if settings.has_corpus:
        kind = plugins.components.get(CORPUS, settings.corpus or "folder")
        path = {} if settings.data is None else {"path": str(settings.data)}
        params = params_from(kind, {**read_corpus_settings(settings.corpus_settings), **path})
        assert model.spec.audio is not None
        corpus = params.build(audio=model.spec.audio, frontend=frontend)
        found += choose(held_out_sentences(corpus, settings.holdout), settings.part, settings.limit)
    if settings.texts is not None:
        found += choose(read_texts(settings.texts), settings.part, settings.limit)
    return found


def _load(path: Path, settings: EvaluationSettings, plugins: Plugins) -> KokoroModel:
    overrides = overrides_around(settings.spec_settings, "evaluate")
    model = load_to_speak(path, plugins=plugins)
    if settings.vocoder is not None:
        model.attach_vocoder(load_vocoder(settings.vocoder, plugins))
    set_around(model, overrides)
    return model


def given_to(model: KokoroModel, settings: EvaluationSettings) -> dict[str, Any]:
    """Return what the model is given: for recorded sentences their corpus says who speaks."""
    if settings.texts is None:
        return {"options": numbers_of(settings.options)} if settings.options else {}
    return spoken_with(
        model.spec,
        speaker=settings.speaker,
        language=None,
        features=(),
        options=settings.options,
        reference=None,
    )
