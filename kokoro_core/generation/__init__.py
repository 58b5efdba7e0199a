"""Free-running generation."""

from kokoro_core.generation.options import Generation, GenerationOptions, StopReason
from kokoro_core.generation.precision import DecoderCopies
from kokoro_core.generation.request import Utterances, read
from kokoro_core.generation.speak import generate, stream
from kokoro_core.generation.statistics import unchanged_buffers

__all__ = [
    "DecoderCopies",
    "Generation",
    "GenerationOptions",
    "StopReason",
    "Utterances",
    "generate",
    "read",
    "stream",
    "unchanged_buffers",
]
