"""Exporting to torch: the file speaks as its checkpoint does, and is there only if it does."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.errors import ExportError
from kokoro_core.exporting.trials import Trial
from kokoro_plugins.export import to_torch
from kokoro_plugins.export.export import export_model
from kokoro_plugins.export.report import ExportReport


def test_the_file_alone_speaks_as_the_checkpoint_does(
    parallel: KokoroModel, torch_report: ExportReport
) -> None:
    [file] = torch_report.files
    extra = {to_torch.DESCRIPTION: ""}
    program = torch.export.load(file, extra_files=extra)
    indices = torch.randint(1, 63, (1, 19), generator=torch.Generator().manual_seed(4))
    got = program.module()(phoneme_indices=indices, speed=torch.ones(1), given={})
    expected = parallel.generate(indices)
    audio = parallel.spec.audio
    assert audio is not None
    torch.testing.assert_close(got["mel"], expected.mel * audio.std + audio.mean)
    about = json.loads(extra[to_torch.DESCRIPTION])
    assert about["symbols"][5] == "s5"
    assert (about["sample_rate"], about["hop_length"]) == (audio.sample_rate, audio.hop_length)


def test_it_was_compared_at_other_lengths_than_the_traced_one(torch_report: ExportReport) -> None:
    assert [each.phonemes for each in torch_report.differences] == [5, 17, 31, 4]
    assert all((each.frames or 0) > each.phonemes for each in torch_report.differences)
    assert torch_report.largest == max(each.largest for each in torch_report.differences) < 1e-4


def test_the_file_holds_no_pickle(torch_report: ExportReport) -> None:
    with zipfile.ZipFile(torch_report.files[0]) as archive:
        pickles = [each for each in archive.namelist() if archive.read(each)[:1] == b"\x80"]
        samples = [each for each in archive.infolist() if "sample_inputs" in each.filename]
        assert [archive.read(each) for each in samples] in ([], [b""])
    assert not [each for each in pickles if "weights" not in each]


def test_the_file_does_not_say_where_it_was_made(torch_report: ExportReport) -> None:
    places = [str(Path(module.__file__ or "").parent) for module in (torch, to_torch)]
    with zipfile.ZipFile(torch_report.files[0]) as archive:
        for name in archive.namelist():
            assert not [each for each in places if each.encode() in archive.read(name)], name


def test_what_differs_from_its_checkpoint_is_not_written(
    parallel: KokoroModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Program(torch.nn.Module):
        def forward(self, **given: object) -> dict[str, torch.Tensor]:
            made = parallel.generate(given["phoneme_indices"], speed=float(given["speed"]))  # type: ignore[arg-type]
            return {"mel": made.mel, "durations": made.durations}  # type: ignore[dict-item]

    class Loaded:
        module, graph_module = Program, torch.nn.Module()

    monkeypatch.setattr(to_torch, "trace_parallel", lambda *_: Loaded())
    monkeypatch.setattr(torch.export, "save", lambda _, place, **__: place.write_text("x"))
    monkeypatch.setattr(torch.export, "load", lambda _: Loaded())
    out = tmp_path / "model.pt2"
    with pytest.raises(ExportError, match=r"differs from its checkpoint for 5 random phonemes"):
        export_model(parallel, out)
    assert not list(tmp_path.iterdir())


def test_a_part_that_cannot_be_traced_is_named_before_anything_is_written(
    parallel: KokoroModel, tmp_path: Path
) -> None:
    model = copy.deepcopy(parallel)
    honest = model.acoustic.encoder.forward

    def looks_inside(phoneme_indices, padding_mask):
        if phoneme_indices.sum() > 3:
            return honest(phoneme_indices, padding_mask)
        return None

    model.acoustic.encoder.forward = looks_inside  # type: ignore[method-assign]
    said = r"cannot be exported because of `if phoneme_indices.sum\(\) > 3:` .*data-dependent"
    with pytest.raises(ExportError, match=said):
        export_model(model, tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


def test_the_ending_of_the_file_is_that_of_programs(parallel: KokoroModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`.*model.pt` must end in `.pt2`"):
        export_model(parallel, tmp_path / "model.pt")


def test_a_program_that_cannot_speak_an_utterance_is_an_error_of_the_export() -> None:
    class Short(torch.nn.Module):
        def forward(self, **_: object) -> None:
            raise RuntimeError("Runtime assertion failed for expression u0 <= 3\nmore")

    trial = Trial("5 phonemes", torch.ones(1, 5, dtype=torch.int64), 1.0, {})
    said = r"cannot speak 5 phonemes, perhaps since .*: Runtime assertion .* u0 <= 3$"
    with pytest.raises(ExportError, match=said):
        to_torch._run(Short(), trial)
