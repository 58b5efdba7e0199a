"""Models in folders as the Hugging Face Hub keeps them; nothing here uses a network."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard, hub_mixin

from kokoro_core import KokoroModel
from kokoro_core.checkpoints import hub
from kokoro_core.checkpoints.adapt import Adapt
from kokoro_core.errors import CheckpointError
from kokoro_plugins.transformer.params import TransformerDecoderParams
from tests.kokoro_core.test_api import tiny


def same_weights(a: KokoroModel, b: KokoroModel) -> bool:
    first, second = a.acoustic.state_dict(), b.acoustic.state_dict()
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def test_a_folder_has_the_weights_the_spec_and_a_card(tmp_path: Path) -> None:
    model = tiny()
    model.save_pretrained(tmp_path / "voice")
    names = sorted(each.name for each in (tmp_path / "voice").iterdir())
    assert names == ["README.md", "config.json", "model.safetensors"]
    config = json.loads((tmp_path / "voice" / "config.json").read_text())
    assert config["spec"]["encoder"]["type"] == "transformer/transformer"
    card = ModelCard.load(tmp_path / "voice" / "README.md")
    assert card.data.library_name == "kokoro-core"
    assert card.data.pipeline_tag == "text-to-speech"


def test_a_model_comes_back_from_its_folder(tmp_path: Path) -> None:
    model = tiny()
    model.save_pretrained(tmp_path)
    loaded = KokoroModel.from_pretrained(tmp_path)
    assert loaded.spec == model.spec
    assert not loaded.training
    assert same_weights(loaded, model)


def test_large_weights_are_split_and_come_back(tmp_path: Path) -> None:
    model = tiny()
    model.save_pretrained(tmp_path, max_shard_bytes=20_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    shards = {each.name for each in tmp_path.glob("*.safetensors")}
    assert len(shards) > 2
    assert set(index["weight_map"].values()) == shards
    assert set(index["weight_map"]) == set(model.acoustic.state_dict())
    assert same_weights(KokoroModel.from_pretrained(tmp_path), model)


def test_options_of_load_reach_it(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    said: list[str] = []
    adapt = Adapt(overrides={"decoder.num_layers": 3}, say=said.append)
    loaded = KokoroModel.from_pretrained(tmp_path, adapt=adapt)
    assert isinstance(loaded.spec.decoder, TransformerDecoderParams)
    assert loaded.spec.decoder.num_layers == 3
    assert len(said) == 1
    with pytest.raises(ValueError, match="nonsense"):
        KokoroModel.from_pretrained(tmp_path, device="nonsense")


def test_an_option_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    with pytest.raises(TypeError, match="`from_pretrained` does not know `quantize`"):
        KokoroModel.from_pretrained(tmp_path, quantize=True)


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        KokoroModel.from_pretrained(tmp_path)


def cached(folder: Path, root: Path) -> Path:
    """Lay a folder out as the Hub's cache does: links with names to blobs without."""
    blobs, snapshot = root / "blobs", root / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(folder.iterdir())):
        (blobs / f"{number:040x}").write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(Path("..", "..", "blobs", f"{number:040x}"))
    return snapshot


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_model_comes_from_the_cache_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    model = tiny()
    model.save_pretrained(tmp_path / "local", max_shard_bytes=20_000)
    snapshot = cached(tmp_path / "local", tmp_path / "models--someone--voice")
    asked: dict[str, Any] = {}

    def download(name: str, **options: Any) -> str:
        asked.update(options, name=name)
        return str(snapshot)

    def no_links(*_: Any) -> None:
        raise OSError("none here")

    monkeypatch.setattr(hub, "snapshot_download", download)
    monkeypatch.setattr(hub_mixin, "hf_hub_download", lambda **_: str(snapshot / "config.json"))
    if not links:
        monkeypatch.setattr("os.link", no_links)
    before = sorted(map(str, tmp_path.rglob("*")))
    loaded = KokoroModel.from_pretrained("someone/voice", revision="v2", token=False)
    assert same_weights(loaded, model)
    assert (asked["name"], asked["revision"], asked["token"]) == ("someone/voice", "v2", False)
    assert sorted(map(str, tmp_path.rglob("*"))) == before


class FakeHub:
    """Stands for the client of the Hub and keeps what is uploaded."""

    uploaded: dict[str, bytes]

    def __init__(self, token: str | None = None) -> None:
        self.token = token

    def create_repo(self, repo_id: str, private: bool | None, exist_ok: bool) -> Any:
        assert exist_ok
        return type("Repo", (), {"repo_id": repo_id})()

    def upload_folder(self, folder_path: Path, **options: Any) -> str:
        FakeHub.uploaded = {each.name: each.read_bytes() for each in Path(folder_path).iterdir()}
        return f"https://example.invalid/{options['repo_id']}/commit/1"


def test_what_is_pushed_is_what_a_folder_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_mixin, "HfApi", FakeHub)
    model = tiny()
    address = model.push_to_hub("someone/voice", private=True)
    model.save_pretrained(tmp_path)
    assert address == "https://example.invalid/someone/voice/commit/1"
    assert FakeHub.uploaded == {each.name: each.read_bytes() for each in tmp_path.iterdir()}


def imported_at_start(file: Path) -> set[str]:
    """Return the modules that the import of a file imports, by its own statements."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{each.name}" for each in node.names}
    return names


def test_nothing_imports_the_hub_before_it_is_used() -> None:
    core = Path(hub.__file__).parent
    assert "huggingface_hub.ModelHubMixin" in imported_at_start(core / "hub.py")
    for file in core.rglob("*.py"):
        ours = file.name != "hub.py"
        found = {each for each in imported_at_start(file) if "hub" in each} if ours else set()
        assert not found, f"{file} imports {found}"


MISTYPED = ["./vioce", "vioce", "/nowhere/at/all", "runs/vioce", "a/b/c", "~/voice", "a/"]


@pytest.mark.parametrize("name", MISTYPED)
def test_what_looks_like_a_path_never_asks_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the Hub was asked")

    for folder in ("voice", "runs/voice"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "snapshot_download", refuse)
    monkeypatch.setattr(hub_mixin, "hf_hub_download", refuse)
    with pytest.raises(FileNotFoundError, match="There is no folder") as caught:
        KokoroModel.from_pretrained(name)
    if name.endswith("vioce"):
        assert "did you mean `" in str(caught.value)


def test_a_file_is_sent_to_load(tmp_path: Path) -> None:
    tiny().save(tmp_path / "a.safetensors")
    with pytest.raises(NotADirectoryError, match=r"is a file; `KokoroModel.load` takes it"):
        KokoroModel.from_pretrained(tmp_path / "a.safetensors")
