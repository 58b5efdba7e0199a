"""A folder that sherpa-onnx speaks: graph, tokens and lexicon, written, run there and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import Frontend, NeuralVocoder
from kokoro_core.errors import ExportError
from kokoro_core.exporting.inputs import GraphInputs
from kokoro_core.exporting.noise import GraphNoise
from kokoro_core.exporting.parallel import ParallelGraph, trace_parallel
from kokoro_core.exporting.trials import Trial, own_durations, random_trials, spoken
from kokoro_plugins.export.around import as_text
from kokoro_plugins.export.lexicon import MARKS, Lexicon, make_lexicon
from kokoro_plugins.export.onnx_files import OPSET, Session, converted
from kokoro_plugins.export.report import Difference, ExportReport, difference, refuse_far
from kokoro_plugins.export.sherpa_graph import (
    TEMPERATURE,
    Token,
    describe,
    tokens_of,
    with_loaders_inputs,
)
from kokoro_plugins.export.to_onnx import Precision, in_precision, names_of
from kokoro_plugins.export.trials import TEXT

MODEL, TOKENS, LEXICON = "model.onnx", "tokens.txt", "lexicon.txt"


def export_sherpa(
    model: KokoroModel,
    out: Path,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
    about: Mapping[str, Any],
    precision: Precision,
    frontend: Frontend | None,
    words: str,
    texts: Sequence[str],
) -> ExportReport:
    """Write the folder of a parallel model.

    Args:
        model: In evaluation mode.
        out: The folder, which is not there yet.
        inputs: Of the graph.
        vocoder: Inside the graph; None: the decoder gives samples itself.
        about: As of `export_onnx`.
        precision: As of `export_onnx`.
        frontend: Reads the words; None: the model has none.
        words: A text whose words are those of the lexicon.
        texts: Sentences of these words, spoken as text and compared; none: one is made.

    Raises:
        ModuleNotFoundError: The extra ``kokoro-core[sherpa]`` is not installed.
        ExportError: A part cannot be traced or converted, the loader cannot call the model, or what
            it speaks is not what the checkpoint speaks.
        ValueError: The model has no frontend, the folder is there, or a text has other words.
    """
    if frontend is None:
        raise ValueError("The model's spec has no `frontend`, whose words sherpa-onnx would read.")
    import sherpa_onnx  # noqa: F401  # told before a minute's work, if it is missing

    if out.exists():
        raise ValueError(f"`{out}` is there already; the folder for sherpa-onnx is written whole.")
    lexicon = make_lexicon(frontend, words)
    tokens = tokens_of(frontend.symbols, model.spec.pad_id, lexicon.between)
    graph = _graph(model, inputs, vocoder, about, precision, tokens, lexicon)
    named = _Words(tokens, lexicon)
    examples = {each.name: each.example for each in inputs.variable}
    told = [*named.plain(random_trials(model, inputs)), *named.sentences(texts, examples)]
    with _folder(out) as folder:
        _write(folder, graph, tokens, lexicon)
        voice = SherpaVoice(folder, tokens)
        session = Session(folder / MODEL)
        found = tuple(_compared(voice, session, model, inputs, vocoder, each) for each in told)
        if precision == "float32":
            refuse_far(found)
    files = tuple(out / each for each in (MODEL, TOKENS, LEXICON))
    facts = {
        "opset": OPSET,
        "precision": precision,
        "words": len(lexicon.words),
        "words_left_out": list(lexicon.left_out),
    }
    return ExportReport("sherpa", files, found, {**facts, "about": about})


class SherpaVoice:
    """Speaks by sherpa-onnx on one thread, without noise and with pauses as they come.

    Args:
        folder: With the three files.
        tokens: By symbol.

    Raises:
        ExportError: The loader refuses the files.
    """

    def __init__(self, folder: Path, tokens: Mapping[str, Token]) -> None:
        import sherpa_onnx

        matcha = sherpa_onnx.OfflineTtsMatchaModelConfig(
            acoustic_model=str(folder / MODEL),
            vocoder="",
            lexicon=str(folder / LEXICON),
            tokens=str(folder / TOKENS),
            noise_scale=0.0,
        )
        model = sherpa_onnx.OfflineTtsModelConfig(matcha=matcha, num_threads=1)
        config = sherpa_onnx.OfflineTtsConfig(model=model)
        if not config.validate():
            raise ExportError(f"sherpa-onnx refuses the files that were made: {config}")
        self._tts = sherpa_onnx.OfflineTts(config)
        self._tokens = tokens

    def speak(self, said: str | Sequence[str], speed: float) -> Tensor:
        """Return the samples (1, S) of a text, or of symbols."""
        import sherpa_onnx

        config = sherpa_onnx.GenerationConfig()
        config.speed, config.silence_scale = speed, 1.0
        if not isinstance(said, str):
            config.tokens = [[self._tokens[each].name for each in said]]
        text = said if isinstance(said, str) else ""
        return torch.tensor(self._tts.generate(text, config).samples).unsqueeze(0)


@dataclass(frozen=True)
class _Told:
    """An utterance for both.

    Attributes:
        trial: All its phonemes, for the checkpoint.
        numbers: (1, N) int64, what the loader gives the graph for it.
        said: The text or the symbols that sherpa-onnx is told.
    """

    trial: Trial
    numbers: Tensor
    said: str | Sequence[str]


@dataclass(frozen=True)
class _Words:
    """What symbols and words are called in the folder."""

    tokens: Mapping[str, Token]
    lexicon: Lexicon

    def tell(self, trial: Trial, symbols: Sequence[str], text: str | None = None) -> _Told:
        """Return the utterance of symbols, around which the graph puts what every text has."""
        whole = (*self.lexicon.before, *symbols, *self.lexicon.after)
        indices = torch.tensor([[self.tokens[each].index for each in whole]])
        numbers = torch.tensor([[self.tokens[each].number for each in symbols]])
        said = symbols if text is None else text
        return _Told(replace(trial, phoneme_indices=indices), numbers, said)

    def plain(self, trials: Iterable[Trial]) -> Iterator[_Told]:
        """Yield trials of phonemes, without the marks at which sherpa-onnx parts a text."""
        names = {each.index: name for name, each in self.tokens.items() if name not in set(MARKS)}
        usual = names[min(names)]
        for each in trials:
            indices = each.phoneme_indices[0].tolist()
            yield self.tell(each, [names.get(index, usual) for index in indices])

    def sentences(self, texts: Sequence[str], given: Mapping[str, Tensor]) -> Iterator[_Told]:
        """Yield sentences of words of the lexicon; without one, a sentence is made."""
        for text in texts or [_sentence(self.lexicon)]:
            symbols = self.lexicon.read(text, self.tokens)
            yield self.tell(Trial(repr(text), torch.zeros(1, 0), 1.0, given), symbols, text)


def _sentence(lexicon: Lexicon) -> str:
    """Return a sentence of words of a lexicon."""
    try:
        lexicon.read(TEXT, ())
    except ValueError:
        return " ".join(list(lexicon.words)[:8])
    return TEXT


def _graph(
    model: KokoroModel,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
    about: Mapping[str, Any],
    precision: Precision,
    tokens: Mapping[str, Token],
    lexicon: Lexicon,
) -> Any:
    program = trace_parallel(model, inputs, vocoder)
    graph = ParallelGraph(model, inputs, vocoder)
    plain = converted(program, names_of(program), {"kokoro": as_text(about)}, graph)
    made = with_loaders_inputs(in_precision(plain, precision), inputs, tokens, lexicon)
    audio, speakers = model.spec.audio, model.spec.speakers
    assert audio is not None
    describe(made, audio.sample_rate, len(speakers or ()))
    return made


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Yield a folder that becomes `out` if the block succeeds, and else is removed."""
    with TemporaryDirectory(prefix=".tmp-", dir=out.absolute().parent) as place:
        folder = Path(place) / out.name
        folder.mkdir()
        yield folder
        folder.rename(out)


def _write(folder: Path, graph: Any, tokens: Mapping[str, Token], lexicon: Lexicon) -> None:
    import onnx

    onnx.save(graph, folder / MODEL)
    lines = (f"{each.name} {each.number}".lstrip() for each in tokens.values())
    (folder / TOKENS).write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
    words = (
        f"{word} {' '.join(tokens[each].name for each in symbols)}\n"
        for word, symbols in lexicon.words.items()
        if symbols
    )
    (folder / LEXICON).write_text("".join(words), encoding="utf-8")


def _compared(
    voice: SherpaVoice,
    session: Session,
    model: KokoroModel,
    inputs: GraphInputs,
    vocoder: NeuralVocoder | None,
    told: _Told,
) -> Difference:
    quiet = {
        each.name: torch.zeros(1) if each.meaning.endswith(TEMPERATURE) else each.example
        for each in inputs.variable
    }
    trial = replace(told.trial, given=quiet)
    samples = voice.speak(told.said, trial.speed)
    durations = _durations(session, told)
    expected = spoken(model, trial, inputs, vocoder, GraphNoise(), durations=durations)
    made = {"samples": samples}
    if durations is not None:
        own = own_durations(model, trial, inputs, GraphNoise())
        assert own is not None
        made, expected = {**made, "durations": durations}, {**expected, "durations": own}
    return difference(trial.name, trial.phoneme_indices.shape[1], made, expected)


def _durations(session: Session, told: _Told) -> Tensor | None:
    """Return the durations (1, N) that the graph plans, which sherpa-onnx does not tell."""
    made, _ = session.run(
        {
            "x": told.numbers,
            "x_length": torch.tensor([told.numbers.shape[1]]),
            "noise_scale": torch.zeros(1),
            "length_scale": torch.tensor([1 / told.trial.speed]),
            "sid": torch.zeros(1, dtype=torch.int64),
        }
    )
    return made.get("durations")
