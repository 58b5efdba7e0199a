"""The commands ``checkpoint attach`` and ``checkpoint detach``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kokoro_core import KokoroModel
from kokoro_core.checkpoints.vocoder_file import save_vocoder
from kokoro_core.cli import session
from kokoro_core.cli.app import main
from kokoro_core.durable import StepFolder
from registry import Voice
from tests.kokoro_core.checkpoints.vocoder_toy import (
    AUDIO,
    plugins,
    speaking,
    toy_vocoder,
    untrained,
)

MODEL, VOCODER, OUT = "model.safetensors", "vocoder.safetensors", "out.safetensors"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plugins()
    monkeypatch.setattr(session, "installed_plugins", lambda: found)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run_main(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run_main


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the voice `alto`, which a plugin brings."""
    folder = tmp_path / "site-packages" / "acme"
    folder.mkdir(parents=True)
    (folder / "card.md").write_text("# Alto\n", encoding="utf-8")
    voice = Voice("alto", folder / "alto.safetensors", folder / "card.md", "acme")
    found = replace(plugins(), voices={"alto": voice})
    monkeypatch.setattr(session, "installed_plugins", lambda: found)
    return folder / "alto.safetensors"


def write_vocoder(path: str = VOCODER, **changes: Any) -> None:
    toy = toy_vocoder(audio=AUDIO.model_copy(update=changes))
    save_vocoder(Path(path), toy.vocoder, toy.params, plugins())


def loaded(path: str) -> KokoroModel:
    return KokoroModel.load(path, plugins=plugins())


def test_a_checkpoint_gets_a_vocoder_and_speaks_through_it(run: Any) -> None:
    untrained(vocoder={"type": "griffin_lim"}).save(MODEL)
    write_vocoder()
    before = Path(MODEL).read_bytes()
    status, out, _ = run("checkpoint", "attach", MODEL, VOCODER, OUT)
    assert status == 0
    assert "the vocoder `two_layers` (4 tensors), content hash" in out
    assert Path(MODEL).read_bytes() == before
    speaking().save("expected.safetensors")
    assert Path(OUT).read_bytes() == Path("expected.safetensors").read_bytes()
    options = ("--out", "o.wav", "--max-mel-len", "4")
    status, _, said = run("synthesize", MODEL.replace("model", "out"), "a b", *options)
    assert "no weights" not in said
    assert Path("o.wav").exists()


def test_without_a_place_to_write_the_checkpoint_itself_is_replaced(run: Any) -> None:
    untrained().save(MODEL)
    write_vocoder()
    status, out, _ = run("checkpoint", "attach", MODEL, VOCODER, "--json")
    assert status == 0
    assert json.loads(out)["tensors"]["vocoder"] == 4
    assert run("checkpoint", "verify", MODEL)[0] == 0
    assert loaded(MODEL).vocoder is not None


def test_that_of_another_checkpoint_takes_the_place_of_its_own(run: Any) -> None:
    speaking().save(MODEL)
    other = untrained()
    other.attach_vocoder(toy_vocoder(9, width=7))
    other.save("other.safetensors")
    assert run("checkpoint", "attach", MODEL, "other.safetensors", OUT)[0] == 0
    found, theirs = load_file(OUT), load_file("other.safetensors")
    assert found.keys() == theirs.keys()
    assert all(torch.equal(found[name], theirs[name]) for name in found)


def test_taken_out_it_leaves_a_model_that_can_get_one_again(run: Any) -> None:
    speaking().save(MODEL)
    write_vocoder()
    assert run("checkpoint", "detach", MODEL, OUT)[0] == 0
    untrained().save("expected.safetensors")
    assert Path(OUT).read_bytes() == Path("expected.safetensors").read_bytes()
    assert run("checkpoint", "attach", OUT, VOCODER)[0] == 0
    assert Path(OUT).read_bytes() == Path(MODEL).read_bytes()
    run("checkpoint", "detach", OUT)
    status, _, said = run("checkpoint", "detach", OUT)
    assert (status, "has no weights of a vocoder to take out" in said) == (1, True)


def test_mels_that_differ_are_all_named_and_nothing_is_written(run: Any) -> None:
    untrained().save(MODEL)
    write_vocoder(fmax=7000.0, floor=1e-4)
    before = Path(MODEL).read_bytes()
    status, _, said = run("checkpoint", "attach", MODEL, VOCODER)
    assert status == 1
    assert "fmax: 7000.0 against 8000.0; floor: 0.0001 against 1e-05" in said
    assert Path(MODEL).read_bytes() == before


def test_a_file_that_is_there_and_a_step_are_left_as_they_are(run: Any) -> None:
    untrained().save(MODEL)
    write_vocoder()
    status, _, said = run("checkpoint", "attach", MODEL, VOCODER, VOCODER)
    assert (status, "is there already; --force replaces it" in said) == (1, True)
    steps = StepFolder(Path("steps"))
    steps.save(1, lambda into: untrained().save(into / MODEL), facts={})
    status, _, said = run("checkpoint", "attach", "steps", VOCODER)
    assert (status, "give another file to write" in said) == (1, True)
    assert run("checkpoint", "attach", "steps", VOCODER, OUT)[0] == 0


def test_the_other_commands_for_checkpoints_know_it(run: Any) -> None:
    speaking().save(MODEL)
    untrained().save("without.safetensors")
    write_vocoder()
    _, out, _ = run("checkpoint", "inspect", MODEL, "--json")
    own = toy_vocoder().vocoder
    numbers = sum(each.numel() for each in own.parameters())
    assert json.loads(out)["parts"]["vocoder"]["numbers"] == numbers
    _, out, _ = run("checkpoint", "diff", "without.safetensors", MODEL, "--json")
    assert sorted(json.loads(out)["only_b"])[0] == "vocoder.first.bias"
    _, out, _ = run("checkpoint", "inspect", VOCODER)
    assert "toys/two_layers" in out
    assert run("checkpoint", "verify", VOCODER)[0] == 0
    assert run("checkpoint", "convert", MODEL, OUT, "--dtype", "bfloat16")[0] == 0
    assert {each.dtype for each in loaded(OUT).parameters()} == {torch.bfloat16}


def test_a_stale_copy_of_the_spec_is_told_of(run: Any) -> None:
    pytest.importorskip("huggingface_hub")
    untrained().save_pretrained("voice")
    write_vocoder()
    _, _, said = run("checkpoint", "attach", "voice", VOCODER)
    assert "`voice/config.json` still has the spec of before" in said.replace(
        str(Path.cwd()) + "/", ""
    )


def test_speaking_without_weights_is_refused_and_another_vocoder_can_be_set(run: Any) -> None:
    untrained().save(MODEL)
    status, _, said = run("synthesize", MODEL, "a b", "--out", "o.wav")
    assert (status, "has no weights yet" in said, Path("o.wav").exists()) == (1, True, False)
    options = ("--out", "o.wav", "--max-mel-len", "4")
    other = ("--set", "vocoder={type: griffin_lim, iterations: 1}")
    run("synthesize", MODEL, "a b", *options, *other)
    assert Path("o.wav").exists()
    speaking().save(MODEL)
    status, _, said = run("synthesize", MODEL, "a b", "--set", "vocoder.width=4", *options)
    assert (status, "`--set vocoder.width=4` would speak through another" in said) == (1, True)


@pytest.mark.parametrize("name", ["alto", "acme/alto"])
@pytest.mark.parametrize("arguments", [("attach", VOCODER), ("detach",)])
def test_the_file_of_a_voice_stays_as_it_was_installed(
    run: Any, installed: Path, arguments: tuple[str, ...], name: str
) -> None:
    speaking().save(installed)
    write_vocoder()
    before = installed.read_bytes()
    command, *vocoder = arguments
    status, _, said = run("checkpoint", command, name, *vocoder)
    assert status == 1
    assert f"`{name}` is a voice, whose file stays as its plugin was installed; give" in said
    assert installed.read_bytes() == before


def test_of_a_voice_a_copy_is_written(run: Any, installed: Path) -> None:
    untrained().save(installed)
    write_vocoder()
    before = installed.read_bytes()
    assert run("checkpoint", "attach", "alto", VOCODER, OUT)[0] == 0
    assert loaded(OUT).vocoder is not None
    assert run("checkpoint", "detach", OUT, MODEL)[0] == 0
    assert Path(MODEL).read_bytes() == installed.read_bytes() == before
