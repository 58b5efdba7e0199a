"""The errors of frontends, corpora and checkpoints. Imports nothing, so any room may raise them."""

from __future__ import annotations


class FrontendError(ValueError):
    """The text cannot be converted to phonemes; the message names the cause."""


class FrontendWarning(UserWarning):
    """A text can be spoken, but is certainly misread; the message says where."""


class AudioMismatch(ValueError):
    """A mel and a vocoder have different audio settings; the message lists the differences."""


class CorpusError(ValueError):
    """Data is missing or inconsistent; the message lists every problem."""


class CheckpointError(ValueError):
    """A file is not a checkpoint, or not one of this model; the message says which."""


class ExportError(ValueError):
    """A model or a part of it cannot be in a graph; the message says which, where and why."""
