"""The command `export`, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from kokoro_core.cli.app import main
from kokoro_core.durable import atomic_file
from kokoro_plugins.export import export as export_module
from kokoro_plugins.export import plugin
from kokoro_plugins.export.command import ending_at_sigterm, export, export_speed


@pytest.fixture
def run(capsys):
    """Run the program; return its exit status, output and error output."""

    def run_(*args):
        with pytest.raises(SystemExit) as caught:
            main(["export", *map(str, args)])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run_


@pytest.fixture
def exported(monkeypatch, torch_report):
    """Put the export that is there in the place of another; return what is asked of it."""
    asked: dict[str, object] = {}

    def instead(model, out, **arguments):
        asked.update(arguments, out=out, name=model.spec.name)
        return torch_report

    monkeypatch.setattr(export_module, "export_model", instead)
    return asked


def test_the_command_enters_through_the_hook():
    command, speed = plugin.kokoro_commands()
    assert (command.name, speed.name) == ("export", "export-speed")
    assert (command.load(), speed.load()) == (export, export_speed)


def test_the_differences_are_shown_and_the_largest_at_the_end(
    run, exported, checkpoint, torch_report
):
    status, out, _ = run(checkpoint, "model.pt2", "--to", "torch")
    assert status == 0
    assert "17 random phonemes at speed 0.8" in out
    assert out.splitlines()[-1].startswith("largest difference from the checkpoint: ")
    assert f"{torch_report.files[0].stat().st_size:,} bytes" in out
    assert exported == {
        "name": "parallel",
        "out": Path("model.pt2"),
        "to": "torch",
        "samples": False,
        "precision": "float32",
        "options": {},
        "texts": (),
        "words": "",
    }


def test_the_words_of_a_text_are_those_of_sherpa_alone(run, exported, checkpoint, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("s1 s2", encoding="utf-8")
    assert run(checkpoint, "out", "--to", "sherpa", "--words", words)[0] == 0
    assert (exported["to"], exported["words"]) == ("sherpa", "s1 s2")
    for wrong in (["--to", "sherpa"], ["--to", "onnx", "--words", words]):
        status, _, error = run(checkpoint, "out", *wrong)
        assert (status, error) == (
            1,
            "`--words FILE` is the text whose words `--to sherpa` has a lexicon of.\n",
        )


def test_a_voice_of_sixteen_bits_is_opened_as_it_is_to_speak(run, exported, monkeypatch):
    opened = []
    honest = export_module.export_model

    def watching(model, out, **arguments):
        opened.append(next(model.parameters()).dtype)
        return honest(model, out, **arguments)

    monkeypatch.setattr(export_module, "export_model", watching)
    assert run("heart", "model.pt2", "--to", "torch")[0] == 0
    assert opened == [torch.float32]


def test_at_sigterm_an_unfinished_file_is_removed(tmp_path):
    before = signal.getsignal(signal.SIGTERM)

    @ending_at_sigterm()
    def write():
        with atomic_file(tmp_path / "model.pt2") as place:
            place.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        write()
    assert ended.value.code == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before


def test_options_and_texts_reach_the_function(run, exported, checkpoint):
    more = ("--option", "decoder.steps=4", "--text", "s1 s2", "--samples", "--json")
    status, out, _ = run(checkpoint, "model.pt2", "--to", "torch", *more)
    assert (status, json.loads(out)["kind"]) == (0, "torch")
    assert exported["options"] == {"decoder.steps": 4.0}
    assert (exported["texts"], exported["samples"]) == (["s1 s2"], True)


def test_an_option_must_be_a_number(run, checkpoint):
    status, _, error = run(checkpoint, "x.pt2", "--to", "torch", "--option", "decoder.steps=few")
    assert status == 1
    assert "`--option` must be PART.NAME=NUMBER" in error


def test_what_cannot_be_exported_is_told_in_a_line(run, checkpoint):
    status, _, error = run(checkpoint, "x.onnx", "--to", "torch")
    assert (status, error) == (1, "`x.onnx` must end in `.pt2`, as files of `torch.export` do.\n")


@pytest.mark.parametrize(("flag", "precision"), [("--half", "float16"), ("--int8", "int8")])
def test_fewer_bits_are_asked_for_by_a_flag(run, exported, checkpoint, flag, precision):
    assert run(checkpoint, "model.onnx", "--to", "onnx", flag)[0] == 0
    assert (exported["to"], exported["precision"]) == ("onnx", precision)


def test_two_precisions_are_refused(run, checkpoint):
    status, _, error = run(checkpoint, "model.onnx", "--to", "onnx", "--half", "--int8")
    assert (status, error) == (1, "`--half` and `--int8` are two precisions; choose one.\n")
