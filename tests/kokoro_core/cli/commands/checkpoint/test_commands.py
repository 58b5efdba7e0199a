"""The commands ``checkpoint inspect``, ``verify``, ``diff`` and ``convert``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.durable import StepFolder
from kokoro_core.spec.views.resolve import resolve
from tests.kokoro_core.test_api import tiny


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run_main(*arguments: str | Path) -> tuple[int, str, str]:
        status = 0
        try:
            main(["checkpoint", *map(str, arguments)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run_main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tiny().save(path)
    return path


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def step_of(folder: Path, number: int = 7) -> Path:
    steps = StepFolder(folder, keep_last=5)
    model = tiny()
    return steps.save(
        number, lambda into: model.save(into / "model.safetensors"), facts={}, score=0.5
    ).path


def test_inspect_says_what_there_is(run: Any, path: Path) -> None:
    model = tiny()
    status, out, _ = run("inspect", path, "--json", "--tensors")
    found = json.loads(out)
    state = model.acoustic.state_dict()
    assert status == 0
    assert found["path"] == str(path)
    assert found["spec"] == "small"
    assert found["numbers"] == sum(each.numel() for each in state.values())
    assert found["bytes"] == sum(each.nbytes for each in state.values())
    assert found["dtypes"] == {"float32": len(state)}
    assert sum(each["numbers"] for each in found["parts"].values()) == found["numbers"]
    assert found["components"] == resolve(model.spec)["components"]
    assert found["tensors"] == {
        name: {"dtype": "float32", "shape": list(each.shape)} for name, each in state.items()
    }
    with_shards = path.with_name("s.safetensors")
    model.save(with_shards, max_shard_bytes=20_000)
    again = json.loads(run("inspect", with_shards, "--json", "--tensors")[1])
    different = {"path", "content_hash"}
    assert {key for key in found if again[key] != found[key]} == different


def test_inspect_is_readable(run: Any, path: Path) -> None:
    status, out, _ = run("inspect", path)
    assert status == 0
    assert "spec: small" in out
    assert "transformer/transformer" in out
    assert "stop_out" not in out
    assert "decoder.stop_out.bias" in run("inspect", path, "--tensors")[1]


def test_inspect_of_a_step_has_its_number_and_files(run: Any, tmp_path: Path) -> None:
    step = step_of(tmp_path / "steps")
    for place in (step, step.parent):
        found = json.loads(run("inspect", place, "--json")[1])
        assert (found["step"], found["score"]) == (7, 0.5)
        assert list(found["files"]) == ["model.safetensors"]


@pytest.mark.parametrize(
    "progress",
    [{"step": 7, "epoch": 2}, "far\x1b[2J", None],
    ids=["training's", "a stranger's", "none"],
)
def test_inspect_of_a_step_says_how_far_training_had_come(
    run: Any, tmp_path: Path, progress: Any
) -> None:
    facts = {} if progress is None else {"progress": progress}
    write = tiny().save
    StepFolder(tmp_path).save(7, lambda into: write(into / "model.safetensors"), facts=facts)
    assert json.loads(run("inspect", tmp_path, "--json")[1])["progress"] == progress
    text = run("inspect", tmp_path)[1]
    assert ("progress: epoch 2, step 7\n" in text) == isinstance(progress, dict)
    assert "\x1b" not in text


@pytest.mark.parametrize("limit", [None, 20_000], ids=["one file", "shards"])
def test_inspect_reads_no_weight(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    path = tmp_path / "model.safetensors"
    tiny().save(path, max_shard_bytes=limit)
    weights = sum(each.nbytes for each in tiny().acoustic.state_dict().values())
    whole = sum(each.stat().st_size for each in tmp_path.glob("*.safetensors"))
    read = 0
    pread, preadv = os.pread, os.preadv

    def watched(descriptor: int, count: int, offset: int) -> bytes:
        nonlocal read
        content = pread(descriptor, count, offset)
        read += len(content)
        return content

    def watched_into(*args: Any) -> int:
        raise AssertionError("a weight is read")

    monkeypatch.setattr(os, "pread", watched)
    monkeypatch.setattr(os, "preadv", watched_into)
    assert run("inspect", path)[0] == 0
    assert read == whole - weights  # the headers and nothing else
    monkeypatch.setattr(os, "preadv", preadv)


def test_inspect_imports_no_torch(path: Path) -> None:
    program = (
        "import sys\nfrom kokoro_core.cli.app import main\n"
        f"try:\n    main(['checkpoint', 'inspect', {str(path)!r}])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_verify_passes_what_is_whole_and_names_what_is_not(run: Any, path: Path) -> None:
    assert run("verify", path) == (0, f"{path}: ok\n", "")
    damage(path)
    status, out, err = run("verify", path)
    assert (status, out) == (1, "")
    assert err.startswith(f"`{path}` is damaged: its content has the SHA-256 ")
    status, out, _ = run("verify", path, "--json")
    [found] = json.loads(out)
    assert (status, found["ok"], found["path"]) == (1, False, str(path))
    assert found["problem"] == err.strip()


def test_verify_looks_at_every_step_of_a_run_and_every_file_of_a_step(
    run: Any, tmp_path: Path
) -> None:
    steps = [step_of(tmp_path / "steps", number) for number in (1, 2, 3)]
    status, out, _ = run("verify", tmp_path / "steps")
    assert (status, out.splitlines()) == (0, [f"{each}: ok" for each in steps])
    damage(steps[1] / "model.safetensors")
    status, out, err = run("verify", tmp_path / "steps")
    assert (status, out.splitlines()) == (1, [f"{steps[0]}: ok", f"{steps[2]}: ok"])
    assert "step-000000002` is not intact: `model.safetensors` has different content" in err


def test_verify_looks_at_the_steps_and_the_model_of_a_run(
    run: Any, path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    step = step_of(out / "steps", 1)
    assert run("verify", out) == (0, f"{step}: ok\n", "")
    shutil.copy(path, out / "model.safetensors")
    assert run("verify", out) == (0, f"{out}: ok\n{step}: ok\n", "")
    damage(step / "model.safetensors")
    status, said, err = run("verify", out)
    assert (status, said) == (1, f"{out}: ok\n")
    assert "step-000000001` is not intact: `model.safetensors` has different content" in err
    damage(out / "model.safetensors")
    status, said, err = run("verify", out)
    assert (status, said, len(err.splitlines())) == (1, "", 2)


def test_verify_passes_shards_and_names_the_damaged_one(run: Any, tmp_path: Path) -> None:
    tiny().save(tmp_path / "m.safetensors", max_shard_bytes=20_000)
    assert run("verify", tmp_path / "m.safetensors")[0] == 0
    shard = max(tmp_path.glob("m-*"))
    damage(shard)
    status, _, err = run("verify", tmp_path / "m.safetensors.index.json")
    assert status == 1
    assert f"`{shard}` is damaged" in err


def old_file(path: Path) -> KokoroModel:
    """Write a checkpoint as the first version did, without a hash."""
    from safetensors.torch import save_file

    model = tiny()
    metadata = {"format_version": 1, **resolve(model.spec, model.plugins)}
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"))
    save_file(model.acoustic.state_dict(), path, {"kokoro": text})
    return model


def test_what_states_no_hash_is_not_verified_and_convert_gives_it_one(
    run: Any, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    model = old_file(old)
    status, _, err = run("verify", old)
    assert status == 1
    assert "states no content hash, so nothing can tell whether it is damaged" in err
    assert "content hash: none" in run("inspect", old)[1]
    assert run("convert", old, new)[0] == 0
    assert run("verify", new)[0] == 0
    model.save(tmp_path / "fresh.safetensors")
    assert new.read_bytes() == (tmp_path / "fresh.safetensors").read_bytes()


def test_diff_of_equal_checkpoints_finds_nothing(run: Any, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    tiny().save(other, max_shard_bytes=20_000)
    count = len(tiny().acoustic.state_dict())
    expected = f"{count} tensors are the same, bit for bit\n"
    assert run("diff", path, other) == (0, expected, "")
    assert run("diff", path, path) == (0, expected, "")


def test_diff_takes_no_stated_hash_for_the_content(run: Any, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(path.read_bytes())
    damage(other)
    for pair in ((path, other), (other, path)):
        status, out, err = run("diff", *pair)
        assert (status, out) == (1, "")
        assert f"`{other}` is damaged" in err


def test_diff_refuses_a_step_whose_model_is_another(run: Any, path: Path, tmp_path: Path) -> None:
    step = step_of(tmp_path / "steps")
    tiny(**{"encoder.dropout": 0.3}).save(step / "model.safetensors")
    status, out, err = run("diff", step, path)
    assert (status, out) == (1, "")
    assert "and `manifest.json` says" in err


def test_diff_says_what_changed_in_settings_tensors_and_values(
    run: Any, path: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = tiny(**{"encoder.dropout": 0.3, "decoder.num_layers": 1, "mel_dim": 80})
    state, old = model.acoustic.state_dict(), tiny().acoustic.state_dict()
    for name, each in state.items():
        each.copy_(old[name])
    state["decoder.stop_out.bias"] += 0.25
    other = tmp_path / "other.safetensors"
    model.save(other)
    status, out, _ = run("diff", path, other, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["metadata"]["spec.encoder.dropout"] == [0.1, 0.3]
    assert found["metadata"]["spec.decoder.num_layers"] == [2, 1]
    assert set(found["only_a"]) == {name for name in old if name not in state}
    assert found["only_b"] == []
    assert found["other_values"] == {"decoder.stop_out.bias": 0.25}
    assert found["other_form"] == {}
    text = run("diff", path, other)[1]
    assert "spec.encoder.dropout: 0.1 → 0.3" in text
    assert f"decoder.layers.1.ff_norm.weight: only in {path}" in text or "only in" in text
    assert f"{len(state) - 1} tensors are the same, bit for bit" in text


def test_diff_shows_another_precision(run: Any, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "half.safetensors"
    assert run("convert", path, other, "--dtype", "bfloat16")[0] == 0
    found = json.loads(run("diff", path, other, "--json")[1])
    assert found["other_form"]["decoder.stop_out.bias"] == ["float32 (1,)", "bfloat16 (1,)"]
    loaded = KokoroModel.load(other)
    assert {each.dtype for each in loaded.parameters()} == {torch.bfloat16}


def test_convert_writes_nothing_that_could_not_be_loaded(
    run: Any, path: Path, tmp_path: Path
) -> None:
    model, other = tiny(), tmp_path / "half.safetensors"
    state = model.acoustic.state_dict()
    state["decoder.stop_out.bias"].fill_(1e6)  # float16 ends at 65,504
    model.save(path)
    status, out, err = run("convert", path, other, "--dtype", "float16")
    assert (status, out) == (1, "")
    assert "`decoder.stop_out.bias` has 1 numbers beyond the range of float16" in err
    assert not other.exists()
    assert run("convert", path, other, "--dtype", "bfloat16")[0] == 0
    KokoroModel.load(other)


def test_convert_splits_and_joins(run: Any, path: Path, tmp_path: Path) -> None:
    shards, joined = tmp_path / "s.safetensors", tmp_path / "j.safetensors"
    assert run("convert", path, shards, "--max-shard-bytes", "20000")[0] == 0
    assert len(list(tmp_path.glob("s-*"))) > 1
    status, out, _ = run("convert", shards, joined, "--json")
    assert status == 0
    assert joined.read_bytes() == path.read_bytes()
    assert json.loads(out)["path"] == str(joined)


def test_convert_takes_the_model_out_of_a_step(run: Any, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    assert run("convert", step_of(tmp_path / "steps"), out)[0] == 0
    assert out.read_bytes() == path.read_bytes()


def test_convert_replaces_only_when_told(run: Any, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"mine")
    status, _, err = run("convert", path, out)
    assert (status, out.read_bytes()) == (1, b"mine")
    assert "is there already; --force replaces it" in err
    assert run("convert", path, out, "--force")[0] == 0
    assert out.read_bytes() == path.read_bytes()


def test_convert_replaces_shards_only_when_told(run: Any, path: Path, tmp_path: Path) -> None:
    split = ("convert", path, tmp_path / "s.safetensors", "--max-shard-bytes", "20000")
    assert run(*split)[0] == 0
    index = tmp_path / "s.safetensors.index.json"
    before = index.read_bytes()
    assert run("convert", path, index, "--max-shard-bytes", "30000")[0] == 1
    status, _, err = run(*split[:-1], "30000")
    assert (status, index.read_bytes()) == (1, before)
    assert f"`{index}` is there already; --force replaces it" in err
    assert run(*split[:-1], "30000", "--force")[0] == 0
    assert index.read_bytes() != before


def test_convert_copies_nothing_that_is_damaged(run: Any, path: Path, tmp_path: Path) -> None:
    damage(path)
    status, _, err = run("convert", path, tmp_path / "out.safetensors")
    assert status == 1
    assert "is damaged" in err
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("inspect", "none.safetensors"), 1, "does not exist"),
        (("verify", "none.safetensors"), 1, "does not exist"),
        (("diff", "none.safetensors", "none.safetensors"), 1, "does not exist"),
        (("convert", "none.safetensors", "out.safetensors"), 1, "does not exist"),
        (("inspect", "model.pt"), 1, "has a suffix that no checkpointer handles"),
        (("convert", "m.safetensors", "out.safetensors", "--dtype", "int8"), 2, "must be one of"),
        (("inspect",), 2, "Missing argument 'PATH'"),
        (("convert", "none.safetensors"), 2, "Missing argument 'OUT'"),
        (("convert", "a", "b", "--max-shard-bytes", "0"), 2, "greater than or equal to 1"),
        (("mend", "a"), 2, "No such command 'mend'"),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else None,
)
def test_wrong_arguments_end_with_a_line_and_the_right_status(
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: Any,
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, err = run(*arguments)
    assert found == status
    assert message in " ".join(err.replace("│", " ").split())


def test_what_a_stranger_wrote_does_no_harm_to_a_terminal(run: Any, tmp_path: Path) -> None:
    from kokoro_plugins.safetensors.params import SafetensorsParams

    path = tmp_path / "model.safetensors"
    spec = {"name": "\x1b[2J\u202eevil", "\x1b]0;": "\x07"}
    metadata = {"format_version": 1, "spec": spec, "components": [{"path": "\x1b[2J"}]}
    SafetensorsParams().build().save(path, {"w": torch.ones(1)}, metadata)
    other = tmp_path / "other.safetensors"
    SafetensorsParams().build().save(other, {"w": torch.ones(1)}, {"format_version": 1})
    for arguments in (("inspect", path), ("inspect", path, "--json"), ("diff", path, other)):
        out = "".join(run(*arguments)[1:])
        assert not {"\x1b", "\x07", "\u202e"} & set(out), arguments
