"""What is given in place of a spec is told by its name, with what takes it."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import wave
import zipfile
from pathlib import Path

import pytest
import torch

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.views.resolve import resolve
from tests.kokoro_core.test_api import tiny


def a_wav() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(bytes(200))
    return stream.getvalue()


def a_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a", "b")
    return stream.getvalue()


def saved_by_torch() -> bytes:
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, stream)
    return stream.getvalue()


TOML = '# a spec\n[encoder]\ntype = "transformer"\n\n[[parts]]\nnum_layers = 4\n'
INI = "; a spec\n[encoder]\ntype = transformer\nlayers = 3\n"
XML = '<?xml version="1.0"?>\n<spec><encoder type="transformer"/></spec>\n'
PYTHON = "import os\n\nspec = {'encoder': 1}\n"

KINDS: dict[str, tuple[bytes, str]] = {
    "a.wav": (a_wav(), "this is a sound, not a spec; recordings go into the folder"),
    "a.yaml.gz": (gzip.compress(b"name: x"), "this is compressed; unpack it first"),
    "a.zip": (a_zip(), "this is a zip archive, or what `torch.save` writes"),
    "a.pt": (saved_by_torch(), "this is a zip archive, or what `torch.save` writes"),
    "a.pickle": (pickle.dumps({"a": 1}), "this is a pickle, which is never read"),
    "utf16.yaml": ("name: x\n".encode("utf-16"), "this is UTF-16; save it as UTF-8"),
    "a.toml": (TOML.encode(), "this is TOML or INI, which a spec cannot be"),
    "one.toml": (b"hidden_dim = 512\n", "this is TOML or INI, which a spec cannot be"),
    "a.ini": (INI.encode(), "this is TOML or INI, which a spec cannot be"),
    "toml.yaml": (TOML.encode(), "this is TOML or INI, which a spec cannot be"),
    "a.xml": (XML.encode(), "this is XML or HTML, which a spec cannot be"),
    "a.html": (b"<!DOCTYPE html>\n<p>404: not found</p>\n", "this is XML or HTML"),
    "a.py": (PYTHON.encode(), "this is Python, which a spec cannot be"),
    "script.py": (b"from os import path\n\nx = [\n    1]\n", "this is Python, which a spec"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_another_kind_is_told(name: str, tmp_path: Path) -> None:
    content, message = KINDS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / name)
    [problem] = caught.value.problems
    assert problem.code == "not-a-spec"
    assert problem.message.startswith(message)


@pytest.mark.parametrize("size", [8, 600])
def test_a_checkpoint_is_told_with_what_takes_it(size: int, tmp_path: Path) -> None:
    model = tiny(**{"encoder.ff_dim": size})  # a large one has more bytes than a spec may have
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(SpecError, match=r"this is a checkpoint, not a spec; .* inspect") as caught:
        load_spec(tmp_path / "model.safetensors")
    assert len(caught.value.problems) == 1


def test_a_folder_with_a_model_is_told_and_one_with_a_spec_names_it(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("name: x\n")
    with pytest.raises(IsADirectoryError, match=r"give the spec file in it, `.*m.yaml` perhaps"):
        load_spec(tmp_path)
    (tmp_path / "steps").mkdir()
    with pytest.raises(IsADirectoryError, match=r"it holds a model, which .*inspect.* take"):
        load_spec(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing yet\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(content)
    with pytest.raises(SpecError, match="there is nothing in it; a spec is a mapping"):
        load_spec(tmp_path / "m.yaml")


def test_a_report_with_a_spec_in_it_says_where_the_spec_is(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(resolve(load_spec("small"))))
    with pytest.raises(SpecError, match="a report with a spec in it, as `resolve --json`") as error:
        load_spec(tmp_path / "r.json")
    assert "`kokoro-core resolve` without `--json` prints it alone" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "encoder: [",
        "name: a = b\nencoder: [",
        "- a\n- b\n",
        "just words = not settings of anything: x",
        "a: 1\nb = 2\n",
    ],
)
def test_a_text_that_is_only_wrong_keeps_its_own_problem(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "m.yaml")
    assert "not-a-spec" not in {each.code for each in caught.value.problems}
