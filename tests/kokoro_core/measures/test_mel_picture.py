import base64
import struct
import zlib

import numpy as np

from kokoro_core.measures.mel_picture import mel_picture, png


def shades(address):
    """Return the rows of a picture's shades, by hand."""
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    columns, rows = struct.unpack(">II", data[16:24])
    start = data.index(b"IDAT") + 4
    lines = zlib.decompress(data[start:])
    return [list(lines[row * (columns + 1) + 1 : (row + 1) * (columns + 1)]) for row in range(rows)]


def test_a_picture_is_a_png_of_the_pixels():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    data = png(grey)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (4, 3)
    start = data.index(b"IDAT") + 4
    size = struct.unpack(">I", data[start - 8 : start - 4])[0]
    lines = zlib.decompress(data[start : start + size])
    assert [lines[row * 5 + 1 : row * 5 + 5] for row in range(3)] == [bytes(row) for row in grey]
    assert mel_picture(np.zeros((4, 3), np.float32)).startswith("data:image/png;base64,iVBOR")


def test_low_channels_lie_below_and_loud_is_dark():
    mel = np.array([[0.0, 1.0], [2.0, 4.0]])  # (T, M)
    assert shades(mel_picture(mel)) == [[191, 0], [255, 127]]


def test_pictures_with_the_same_bounds_have_the_same_shades_for_the_same_values():
    mel = np.array([[0.0, 1.0, 3.0]])
    assert shades(mel_picture(mel, (-1.0, 1.0))) == [[0], [0], [127]]
