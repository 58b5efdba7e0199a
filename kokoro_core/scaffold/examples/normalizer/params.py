"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from kokoro_core.slots import NormalizerParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Normalizer


class ExampleParams(NormalizerParams):
    """Numbers as their digits in English words, one after the other, as telephone numbers are read.

    What stands beside letters, such as "R2", stays as it is written.
    """

    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})

    type: Literal["example"] = "example"

    def build(self) -> Normalizer:
        """Return the normalizer."""
        from kokoro_core.scaffold.examples.normalizer.normalizer import ExampleNormalizer

        return ExampleNormalizer()
