"""The settings of the normalizers."""

from __future__ import annotations

from typing import ClassVar, Literal

from kokoro_core.contracts import Normalizer
from kokoro_core.slots import NormalizerParams


class NoneParams(NormalizerParams):
    """Leaves a text as it is written; the frontend reads it by its own rules."""

    type: Literal["none"] = "none"

    def build(self) -> Normalizer:
        """Return the normalizer."""
        from kokoro_plugins.normalizers.none import Unchanged

        return Unchanged()


class EnglishParams(NormalizerParams):
    """Numbers, money, dates, times, units, Roman numerals and abbreviations as English words."""

    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})

    type: Literal["english"] = "english"

    def build(self) -> Normalizer:
        """Return the normalizer."""
        from kokoro_plugins.normalizers.english import English

        return English()


class WetextParams(NormalizerParams):
    """The same by the grammars of WeTextProcessing, behind rules for what they misread.

    It needs the package wetext (``kokoro-core[text]``, 45 MB).
    """

    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})

    type: Literal["wetext"] = "wetext"

    def build(self) -> Normalizer:
        """Return the normalizer.

        Raises:
            ValueError: The package is not installed.
        """
        from kokoro_plugins.normalizers.wetext import Wetext

        return Wetext(grammars=_grammars())


def _grammars() -> object:
    try:
        import wetext
    except ImportError:
        raise ValueError(
            "The normalizer `wetext` needs the package wetext, which is not installed; install "
            "kokoro-core[text], or choose the normalizer `english`, which needs none."
        ) from None
    return wetext.Normalizer(lang="en", operator="tn")
