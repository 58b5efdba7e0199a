"""Pictures of mels as PNG, without a library for it."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mel_picture(mel: NDArray[np.floating[Any]], bounds: tuple[float, float] | None = None) -> str:
    """Return a mel as the address of a PNG that holds it: low channels below, loud is dark.

    Args:
        mel: A log mel.
        bounds: What is white and what is black; None: its least and its largest value.

    Shape:
        mel: (T, M).
    """
    low, high = bounds or (float(mel.min()), float(mel.max()))
    shade = np.clip((mel - low) / max(high - low, 1e-9), 0, 1)
    grey = (255 * (1 - shade)).astype(np.uint8)
    # (T, M) -> (M, T), the highest channel first
    return "data:image/png;base64," + base64.b64encode(png(grey.T[::-1])).decode()


def png(grey: NDArray[np.uint8]) -> bytes:
    """Return a grey picture (rows, columns) as a PNG file."""
    rows, columns = grey.shape
    lines = np.pad(grey, ((0, 0), (1, 0))).tobytes()  # the filter of each line is 0
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
