"""Mels as HTML: a picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kokoro_core.notebook.html import paragraph

if TYPE_CHECKING:
    from torch import Tensor

MOST_ROWS = 8
"""Rows of a batch that are shown; the others are counted."""


def mels_html(mel: Tensor, lengths: Sequence[int], reasons: Sequence[str]) -> str:
    """Return the rows of a batch as HTML, each with its length and why it ended.

    Args:
        mel: What was generated.
        lengths: The frames of each row.
        reasons: Why each row ended.

    Shape:
        mel: (B, T, M).
    """
    shown = [
        paragraph(f"row {row}: {length} frames, ended by {reason}") + mel_html(mel[row, :length])
        for row, (length, reason) in enumerate(zip(lengths, reasons, strict=True))
        if row < MOST_ROWS
    ]
    more = len(lengths) - len(shown)
    return "".join(shown) + (paragraph(f"and {more} more rows") if more else "")


def mel_html(mel: Tensor) -> str:
    """Return the picture of a mel; low channels are below, loud is dark.

    Args:
        mel: A log mel, normalised or not.

    Shape:
        mel: (T, M).
    """
    from kokoro_core.measures.mel_picture import mel_picture

    frames, channels = mel.shape
    if not mel.isfinite().all():
        return paragraph("Some of its values are NaN or infinite, so there is no picture.")
    if not mel.numel():
        return paragraph("It has no frames.")
    picture = mel_picture(mel.detach().float().cpu().numpy())
    return (
        f'<img src="{picture}" alt="mel of {frames} frames and {channels} channels" '
        f'style="width: {2 * frames}px; max-width: 100%; height: 160px; '
        'image-rendering: pixelated"/>'
    )
