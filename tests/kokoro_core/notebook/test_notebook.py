"""What a notebook shows of specs, models and mels, read back from the HTML."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from kokoro_core import KokoroModel, load_spec
from kokoro_core.notebook.html import paragraph, table, unfolding
from kokoro_core.notebook.mels import MOST_ROWS, mel_html, mels_html
from kokoro_core.notebook.models import model_html, spec_html
from tests.kokoro_core.spec.toys import PLUGINS, minimal

ODD = "<script>alert('&\"')</script>"


def read(text: str) -> ElementTree.Element:
    """Return HTML as a tree; what is not well-formed fails."""
    return ElementTree.fromstring(f"<div>{text}</div>")


def words(text: str) -> str:
    return " ".join(" ".join(read(text).itertext()).split())


def pixels(picture: ElementTree.Element) -> np.ndarray:
    """Return the grey values of a picture, the first row above."""
    image = pytest.importorskip("PIL.Image")
    data = base64.b64decode(picture.attrib["src"].removeprefix("data:image/png;base64,"))
    return np.asarray(image.open(io.BytesIO(data)))


@pytest.mark.parametrize("piece", [table([ODD], [[ODD]]), unfolding(ODD, ""), paragraph(ODD)])
def test_a_text_of_a_stranger_is_shown_and_is_no_markup(piece: str) -> None:
    assert "<script" not in piece
    assert ODD in "".join(read(piece).itertext())


def test_a_table_has_its_cells_in_rows() -> None:
    tree = read(table(["a", "b"], [["1", "2"], ["3", "4"]]))
    assert [each.text for each in tree.iter("th")] == ["a", "b"]
    assert [[cell.text for cell in row.iter("td")] for row in tree.iter("tr")][1:] == [
        ["1", "2"],
        ["3", "4"],
    ]


def test_a_spec_shows_its_name_and_its_parts() -> None:
    text = load_spec("small", overrides={"name": ODD})._repr_html_()
    assert "<script" not in text
    assert ODD in words(text)
    assert [each for each in ("transformer/mlp", "losses", "memory (B, T, 256)") if each in text]
    assert len(list(read(text).iter("{http://www.w3.org/2000/svg}svg"))) == 1


def test_a_spec_shows_itself_without_torch() -> None:
    code = (
        "import sys; from kokoro_core import load_spec; assert load_spec('heart')._repr_html_()\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_spec_whose_parts_do_not_fit_says_so_in_place_of_the_picture() -> None:
    spec = load_spec("small")
    broken = spec.model_copy(update={"decoder": spec.decoder.model_copy(update={"hidden_dim": 64})})
    assert "takes 64" in words(broken._repr_html_())
    assert "<svg" not in broken._repr_html_()


def test_a_model_shows_its_parts_with_their_sizes() -> None:
    model = KokoroModel.from_spec("small", overrides={"name": ODD})
    tree = read(model._repr_html_())
    cells = [[cell.text for cell in row.iter("td")] for row in tree.iter("tr")][1:]
    expected = {
        name: f"{sum(each.numel() for each in getattr(model.acoustic, name).parameters()):,}"
        for name in ("encoder", "duration_predictor", "regulator", "decoder")
    }
    assert {row[0]: row[2] for row in cells} == expected
    assert [row[:2] for row in cells][:2] == [
        ["encoder", "transformer/transformer"],
        ["duration_predictor", "transformer/mlp"],
    ]
    assert f"{ODD}: 5,687,122 parameters, 22.7 MB" in " ".join(tree.itertext())
    assert len(list(tree.iter("{http://www.w3.org/2000/svg}svg"))) == 1


def test_a_model_names_its_parts_as_its_own_plugins_do() -> None:
    spec = load_spec(minimal(), plugins=PLUGINS)
    [encoder] = [each for each in PLUGINS.components if each.component is type(spec.encoder)]
    info = {"total_parameters": 1, "model_size_mb": 1.0, "components": [], "slots": {}}
    assert encoder.qualified_name in words(model_html(spec, info, PLUGINS.components))
    assert encoder.qualified_name not in words(spec_html(spec))


def test_low_channels_are_below_and_loud_is_dark() -> None:
    mel = torch.zeros(5, 3)
    mel[4, 0] = 1.0
    [picture] = read(mel_html(mel)).iter("img")
    grey = pixels(picture)
    assert grey.shape == (3, 5)
    assert grey[2, 4] == 0
    assert (grey == 255).sum() == 14
    assert picture.attrib["alt"] == "mel of 5 frames and 3 channels"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_mel_of_any_precision_is_drawn_also_with_a_gradient(dtype: torch.dtype) -> None:
    mel = torch.arange(6, dtype=dtype).reshape(2, 3).requires_grad_()
    assert "<img" in mel_html(mel)


def test_a_mel_that_cannot_be_drawn_says_why() -> None:
    assert "NaN or infinite" in mel_html(torch.tensor([[0.0, torch.nan]]))
    assert "no frames" in mel_html(torch.zeros(0, 80))


def test_rows_are_shown_to_their_ends_and_the_rest_is_counted() -> None:
    mel = torch.rand(MOST_ROWS + 2, 7, 4)
    lengths = [7, 3, *[5] * MOST_ROWS]
    tree = read(mels_html(mel, lengths, ["stop_token"] * len(lengths)))
    pictures = [pixels(each).shape for each in tree.iter("img")]
    assert pictures == [(4, length) for length in lengths[:MOST_ROWS]]
    text = " ".join(tree.itertext())
    assert "row 1: 3 frames, ended by stop_token" in text
    assert "and 2 more rows" in text


def test_what_was_generated_shows_each_row() -> None:
    model = KokoroModel.from_spec("quick", overrides={"decoder.num_layers": 1}).eval()
    durations = torch.tensor([[2, 3], [4, 0]])
    result = model.generate(torch.tensor([[7, 4], [5, 0]]), durations=durations)
    text = result._repr_html_()
    for row, (length, reason) in enumerate(
        zip(result.lengths.tolist(), result.stop_reasons, strict=True)
    ):
        assert f"row {row}: {length} frames, ended by {reason}" in words(text)
