"""The command `profile`, as a user runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from kokoro_core.cli.app import main
from kokoro_core.params.sizes import Sizes
from kokoro_core.spec.load import load_spec
from kokoro_plugins.profiler import plugin
from kokoro_plugins.profiler.commands import check_trace, profile
from kokoro_plugins.profiler.trial import Trial, build_trial, random_batch
from kokoro_plugins.transformer.params import TransformerEncoderParams
from registry import installed_plugins

TINY = [
    *("--set", "hidden_dim=16", "--set", "mel_dim=4", "--set", "audio=null"),
    *("--set", "encoder.num_layers=1", "--set", "encoder.num_heads=2"),
    *("--set", "decoder.num_layers=1", "--set", "decoder.num_heads=2"),
    *("--phonemes", "3"),
]


@pytest.fixture
def run(capsys):
    """Run the program; return its exit status, output and error output."""

    def run_(*args):
        with pytest.raises(SystemExit) as caught:
            main(["profile", *args])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run_


def rows_of(text):
    report = json.loads(text)
    return {f"{row['slot']}.{row['entry_point']}": row["calls"] for row in report["rows"]}


def test_the_command_enters_through_the_hook():
    (command,) = plugin.kokoro_commands()
    assert command.name == "profile"
    assert command.load() is profile


def test_a_training_step_and_a_generation_are_measured(run):
    status, out, err = run("small", *TINY, "--json")
    report = json.loads(out)
    frames = report["trial"].pop("frames")
    parameters = report["trial"].pop("parameters")
    assert (status, err) == (0, "")
    assert report["trial"] == {"spec": "small", "rows": 2, "phonemes": 3}
    assert 3 <= frames <= 33
    assert parameters > 0
    assert rows_of(out) == {
        "model.forward": 1,
        "encoder.forward": 2,
        "duration_predictor.forward": 1,
        "regulator.plan": 2,
        "regulator.expand": 2,
        "decoder.forward": 1,
        "training.backward": 1,
        "training.optimizer": 1,
        "model.generate": 1,
        "decoder.init_state": 1,
        "decoder.step": frames,
    }


def test_the_table_is_for_people(run):
    status, out, _ = run("small", *TINY, "--batch", "3")
    assert status == 0
    assert out.startswith("`small`, ")
    assert "3 rows of 3 phonemes" in out
    assert "decoder" in out
    assert "generate" in out
    assert not out.endswith("\n\n")


def test_without_backward_there_is_no_training_but_the_forward_pass(run):
    _, out, _ = run("small", *TINY, "--json", "--no-backward")
    assert "model.forward" in rows_of(out)
    assert not any(name.startswith("training") for name in rows_of(out))


def test_a_parallel_decoder_and_nested_components_are_measured(run):
    _, out, _ = run("parallel", *TINY, "--json", "--nested")
    assert {"decoder.forward", "decoder.infer"} <= rows_of(out).keys()
    assert "decoder.step" not in rows_of(out)
    assert any(name.startswith("encoder.positional_encoding.") for name in rows_of(out))


def test_a_trace_is_written(run, tmp_path):
    status, _, _ = run("small", *TINY, "--trace", str(tmp_path / "trace.json"))
    names = {
        each.get("name")
        for each in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    }
    assert status == 0
    assert {"training.backward", "model.generate", "decoder.step"} <= names


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["nosuch"], 1, "`nosuch` is not a named spec"),
        (["./none.yaml"], 1, "none.yaml"),
        (["small", "--set", "encoder.num_head=2"], 1, "did you mean"),
        (["small", "--device", "tpu"], 1, "`--device tpu` is not on this machine"),
        (["small", "--trace", "none/trace.json"], 1, "the folder `none` does not exist"),
        (
            ["small", *TINY, "--phonemes", "6000"],
            1,
            "knows 5000 positions but the sequence has 6000",
        ),
        (["small", "--trace", "."], 1, "`--trace .` must be a file, but it is a folder"),
        (["small", "--batch", "9" * 20], 1, "times `--phonemes 40` must be 1,000,000 or less"),
        (["small", "--phonemes", "600000"], 1, "must be 1,000,000 or less; batches of training"),
        (["small", "--batch", "0"], 2, "--batch"),
        (["small", "--phonemes", "many"], 2, "--phonemes"),
        ([], 2, "Missing argument"),
    ],
)
def test_bad_input_is_a_clear_line_and_never_a_traceback(run, args, status, message):
    found, out, err = run(*args)
    assert (found, out) == (status, "")
    assert message in err
    assert "Traceback" not in err
    if status == 1:
        assert err.count("\n") == 1


@pytest.mark.parametrize("pad_id", [0, 3, 6])
def test_the_batch_fits_the_model_and_has_every_phoneme_but_the_padding(pad_id):
    sizes = Sizes(vocab_size=7, pad_id=pad_id, mel_dim=5, hidden_dim=1)
    batch = random_batch(sizes, rows=4, phonemes=50, with_durations=True)
    assert set(batch.phoneme_indices.flatten().tolist()) == set(range(7)) - {pad_id}
    assert batch.durations is not None
    assert batch.mel_specs.shape == (4, int(batch.durations.sum(1).max()), 5)
    assert int(batch.durations.min()) >= 1
    again = random_batch(sizes, rows=4, phonemes=50, with_durations=False)
    assert torch.equal(again.mel_specs, batch.mel_specs)
    assert again.durations is None


def test_a_model_with_side_inputs_is_refused_by_name():
    plugins = installed_plugins()
    spec = load_spec("small", overrides={"encoder.num_layers": 1}, plugins=plugins)

    class Speaking(TransformerEncoderParams):
        @property
        def needs(self):
            return frozenset({"speaker"})

    fields = {name: getattr(spec.encoder, name) for name in type(spec.encoder).model_fields}
    needy = spec.model_copy(update={"encoder": Speaking(**fields)})
    with pytest.raises(
        ValueError, match="`small` needs the side inputs `speaker`, which `profile`"
    ):
        build_trial(needy, plugins, rows=1, phonemes=2, device="cpu")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory.\nmore"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_memory_that_is_used_up_is_a_clear_line(run, monkeypatch, error):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr(Trial, "run", failing)
    status, out, err = run("small", *TINY)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "A smaller `--batch` or fewer `--phonemes` need less." in err


def test_a_bug_in_a_component_keeps_its_traceback(monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Trial, "run", failing)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        main(["profile", "small", *TINY])


def test_a_trace_does_not_take_the_place_of_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(ValueError, match=f"`--trace {path}` must be a file, but it is a devic"):
            check_trace(path)
    check_trace(tmp_path / "new.json")


@pytest.mark.parametrize("target", ["gone", "no/gone", "link"])
def test_a_trace_behind_a_link_that_leads_nowhere_is_refused_before_any_work(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(ValueError, match="link` is a link that leads nowhere; give another file"):
        check_trace(tmp_path / "link")
