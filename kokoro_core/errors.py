"""The errors of what stands around a model. Imports nothing, so that any room may raise them."""

from __future__ import annotations


class FrontendError(ValueError):
    """The text cannot be turned into phonemes; the message names what stands in the way."""


class FrontendWarning(UserWarning):
    """A text can be spoken, but surely not as its writer reads it; the message says what."""


class AudioMismatch(ValueError):
    """A mel and a vocoder were made with different audio settings; the message lists them."""


class CorpusError(ValueError):
    """Data is missing or does not fit together; the message lists every problem."""


class CheckpointError(ValueError):
    """A file is not a checkpoint, or not one of this model; the message says which."""
