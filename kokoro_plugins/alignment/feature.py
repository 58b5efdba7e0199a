"""The name of the feature that aligners learn from; this file imports nothing."""

from __future__ import annotations

MARK = "mark"
"""The feature of phonemes: 1 for a stress mark or another modifier, 0 for a sound or a pause."""
