"""The promises of a model's components, and of what surrounds a model.

Shapes: B batch, N phonemes, T frames, H hidden, M mel channels. A ``padding_mask`` is bool and True
means padding. Padding is at the end of a row. A component's output at padding is exactly 0, and
a row's valid output does not depend on the other rows or on how far the row is padded.

A component whose params list side inputs in ``needs`` gets exactly those by keyword, in all of its
entry points; the abstract signatures show them as ``**side_inputs``.

Inheritance is used only here: a contract is abstract and has no state. Importing
the package imports no torch; accessing most of its names does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kokoro_core.contracts.checkpoints import Checkpointer, OpenCheckpoint, TensorInfo
    from kokoro_core.contracts.component import Component
    from kokoro_core.contracts.corpus_facts import CorpusFacts, FeatureFacts
    from kokoro_core.contracts.decoders import AutoregressiveDecoder, Decoder, ParallelDecoder
    from kokoro_core.contracts.importing import Importer, ImportPlan, Origin, Published
    from kokoro_core.contracts.neural_vocoder import NeuralVocoder
    from kokoro_core.contracts.parts import (
        Adaptor,
        Aligner,
        Conditioner,
        DurationPredictor,
        Encoder,
        Postnet,
        Regulator,
    )
    from kokoro_core.contracts.positions import PositionalEncoding
    from kokoro_core.contracts.profiler import Profiler
    from kokoro_core.contracts.published import PublishedSettings
    from kokoro_core.contracts.speech import Corpus, Frontend, Normalizer, Utterance, Vocoder
    from kokoro_core.contracts.training import Objective, Schedule
    from kokoro_core.contracts.values import (
        AdaptorOutput,
        AlignerOutput,
        DecoderOutput,
        DurationOutput,
        EncoderOutput,
        Latents,
        Plan,
        State,
        map_tensors,
    )

_HOMES = {
    "Adaptor": "parts",
    "AdaptorOutput": "values",
    "Aligner": "parts",
    "AlignerOutput": "values",
    "AutoregressiveDecoder": "decoders",
    "Checkpointer": "checkpoints",
    "Component": "component",
    "Conditioner": "parts",
    "Corpus": "speech",
    "CorpusFacts": "corpus_facts",
    "Decoder": "decoders",
    "DecoderOutput": "values",
    "DurationOutput": "values",
    "DurationPredictor": "parts",
    "Encoder": "parts",
    "EncoderOutput": "values",
    "FeatureFacts": "corpus_facts",
    "Frontend": "speech",
    "ImportPlan": "importing",
    "Importer": "importing",
    "Latents": "values",
    "NeuralVocoder": "neural_vocoder",
    "Normalizer": "speech",
    "Objective": "training",
    "OpenCheckpoint": "checkpoints",
    "Origin": "importing",
    "ParallelDecoder": "decoders",
    "Plan": "values",
    "PositionalEncoding": "positions",
    "Postnet": "parts",
    "Profiler": "profiler",
    "Published": "importing",
    "PublishedSettings": "published",
    "Regulator": "parts",
    "Schedule": "training",
    "State": "values",
    "TensorInfo": "checkpoints",
    "Utterance": "speech",
    "Vocoder": "speech",
    "map_tensors": "values",
}

__all__ = [
    "Adaptor",
    "AdaptorOutput",
    "Aligner",
    "AlignerOutput",
    "AutoregressiveDecoder",
    "Checkpointer",
    "Component",
    "Conditioner",
    "Corpus",
    "CorpusFacts",
    "Decoder",
    "DecoderOutput",
    "DurationOutput",
    "DurationPredictor",
    "Encoder",
    "EncoderOutput",
    "FeatureFacts",
    "Frontend",
    "ImportPlan",
    "Importer",
    "Latents",
    "NeuralVocoder",
    "Normalizer",
    "Objective",
    "OpenCheckpoint",
    "Origin",
    "ParallelDecoder",
    "Plan",
    "PositionalEncoding",
    "Postnet",
    "Profiler",
    "Published",
    "PublishedSettings",
    "Regulator",
    "Schedule",
    "State",
    "TensorInfo",
    "Utterance",
    "Vocoder",
    "map_tensors",
]


if not TYPE_CHECKING:  # a type checker would take it to have every name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module `kokoro_core.contracts` has no attribute `{name}`")
        return getattr(import_module(f"kokoro_core.contracts.{_HOMES[name]}"), name)
