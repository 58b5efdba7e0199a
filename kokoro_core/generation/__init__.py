"""Free-running generation."""

from kokoro_core.generation.options import Generation, GenerationOptions, StopReason
from kokoro_core.generation.reading import Utterances, read
from kokoro_core.generation.speak import generate, stream

__all__ = [
    "Generation",
    "GenerationOptions",
    "StopReason",
    "Utterances",
    "generate",
    "read",
    "stream",
]
