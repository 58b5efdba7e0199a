"""A published checkpoint becomes one of ours strictly, by an importer that a stranger brings."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from kokoro_core import KokoroModel, SpecError
from kokoro_core.checkpoints.import_model import Imported, import_published
from kokoro_core.checkpoints.layout import CheckpointMismatch
from kokoro_core.errors import CheckpointError
from kokoro_core.spec.text.overrides import overrides_from_text
from registry.errors import UnknownComponent
from tests.kokoro_core.checkpoints.importing_toy import (
    SYMBOLS,
    ToyImporter,
    plugins,
    publish,
    toy_model,
)

PLUGINS = plugins()


@pytest.fixture
def model() -> KokoroModel:
    return toy_model()


@pytest.fixture
def folder(tmp_path: Path, model: KokoroModel) -> Path:
    publish(tmp_path / "toy", model)
    return tmp_path / "toy"


def imported(folder: Path, *settings: str, name: str = "toy") -> Imported:
    return import_published(name, folder, PLUGINS, overrides_from_text(settings))


def same(found: Imported, model: KokoroModel) -> None:
    state = model.acoustic.state_dict()
    assert list(found.model.state_dict()) == list(state)
    for name, tensor in found.model.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    tensors = publish(folder, toy_model())
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_tensors_are_copied_transposed_joined_and_split(folder: Path, model: KokoroModel) -> None:
    found = imported(folder)
    same(found, model)
    rows = {each.name: each.row()[1:] for each in found.rows}
    assert rows["encoder.norm.bias"] == ("encoder.norm.bias", "16", "copy")
    assert rows["decoder.frame_in.weight"] == ("decoder.prenet", "16×80", "transpose")
    attention = "decoder.layers.0.cross_attention"
    assert rows[f"{attention}.key_value.bias"] == (
        f"{attention}.key.bias, {attention}.value.bias",
        "32",
        "joined",
    )
    assert rows["decoder.stop_out.weight"] == ("decoder.head.weight", "1×16", "rows from 80")
    assert (found.left, found.passed_over) == ({}, {})


def test_tensors_share_no_memory_though_they_come_from_one(folder: Path) -> None:
    found = imported(folder)
    places = [each.untyped_storage().data_ptr() for each in found.model.state_dict().values()]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_keeps_the_precision_in_which_it_was_published(
    folder: Path, dtype: torch.dtype
) -> None:
    tensors = publish(folder, toy_model())
    save_file(
        {name: each.to(dtype) for name, each in tensors.items()}, folder / "model.safetensors"
    )
    assert {each.dtype for each in imported(folder).model.parameters()} == {dtype}


def sharded(folder: Path, tensors: dict[str, Tensor], names: tuple[str, str]) -> dict[str, str]:
    """Write the tensors to two files with an index, and return where each is."""
    (folder / "model.safetensors").unlink()
    weight_map = {name: names[index % 2] for index, name in enumerate(tensors)}
    for file in names:
        part = {name: each for name, each in tensors.items() if weight_map[name] == file}
        save_file(part, folder / file)
    write_index(folder, weight_map)
    return weight_map


def write_index(folder: Path, weight_map: Any) -> None:
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


NAMES = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def test_weights_in_several_files_are_the_same(tmp_path: Path, model: KokoroModel) -> None:
    tensors = publish(tmp_path / "toy", model)
    sharded(tmp_path / "toy", tensors, NAMES)
    same(imported(tmp_path / "toy"), model)


def test_an_index_leads_only_to_what_it_lists_beside_it(tmp_path: Path, model: KokoroModel) -> None:
    folder = tmp_path / "toy"
    weight_map = sharded(folder, publish(folder, model), NAMES)
    write_index(folder, {**weight_map, "encoder.norm.bias": "../other.safetensors"})
    with pytest.raises(CheckpointError, match=r"lists the file '../other\.safetensors'; a file of"):
        imported(folder)
    write_index(folder, {**weight_map, "more": NAMES[0]})
    with pytest.raises(CheckpointError, match="do not list the same tensors: 'more' is in one"):
        imported(folder)
    write_index(folder, [])
    with pytest.raises(CheckpointError, match="has no `weight_map` that says where"):
        imported(folder)
    (folder / "model.safetensors.index.json").write_text('{"a": 1, "a": 2}')
    with pytest.raises(CheckpointError, match="is not an index: a key stands in it twice"):
        imported(folder)
    write_index(folder, weight_map)
    (folder / NAMES[1]).unlink()
    with pytest.raises(CheckpointError, match=r"-00002-of-00002\.safetensors` does not exist"):
        imported(folder)


def test_what_has_no_place_is_named_with_the_reason(folder: Path, model: KokoroModel) -> None:
    def add(tensors: dict[str, Tensor]) -> None:
        tensors["discriminator.weight"] = torch.ones(3)

    rewrite(folder, add)
    (folder / "config.json").write_text('{"model_type": "toy", "seed": 3}', encoding="utf-8")
    found = imported(folder)
    assert found.left == {"discriminator.weight": "it is needed in training alone"}
    assert found.passed_over == {"seed": "it is of the training"}


def test_the_symbol_table_becomes_the_frontends_or_its_absence_is_said(folder: Path) -> None:
    assert imported(folder).symbols.endswith(
        "has no `vocab.json`, so the checkpoint has no frontend"
    )
    (folder / "vocab.json").write_text(json.dumps(SYMBOLS), encoding="utf-8")
    found = imported(folder)
    assert found.symbols == "the frontend `symbols` has the 5 symbols of `vocab.json`"
    assert found.spec.frontend is not None
    assert found.spec.frontend.build(found.spec.sizes).encode("b a c") == [2, 1, 3, 4]
    without = imported(folder, "frontend=null")
    assert without.symbols == "no frontend has the 5 symbols of `vocab.json`"


def test_what_the_folder_does_not_say_can_be_set_and_what_the_weights_mean_cannot(
    folder: Path,
) -> None:
    found = imported(folder, "audio.mean=-5.0", "name=mine")
    assert found.spec.audio is not None
    assert (found.spec.audio.mean, found.spec.name) == (-5.0, "mine")
    with pytest.raises(
        CheckpointError, match=r"`--set decoder\.norm=post` cannot be in an import, .* is name, fea"
    ):
        imported(folder, "decoder.norm=post")
    with pytest.raises(SpecError, match=r"audio\.meen"):
        imported(folder, "audio.meen=-5.0")


WRONG_TENSORS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (
        lambda found: found.pop("decoder.prenet"),
        "`decoder.prenet` is missing, which `decoder.frame_in.weight` is made of",
    ),
    (
        lambda found: found.update(extra=torch.ones(1)),
        "`extra` has no place in the model",
    ),
    (
        lambda found: found.update({"decoder.prenet": torch.ones(16, 80)}),
        r"`decoder.frame_in.weight` is \(80, 16\), not \(16, 80\), made of `decoder.prenet` "
        r"\(16, 80\) \(transpose\)",
    ),
    (
        lambda found: found.update({"decoder.prenet": torch.ones(1280)}),
        r"`decoder.frame_in.weight` is \(\), not \(16, 80\), made of `decoder.prenet` \(1280,\)",
    ),
    (
        lambda found: found.update({"decoder.prenet": torch.ones(80, 16).half()}),
        "is float16 and others are float32; a model has one floating type, made of",
    ),
]


@pytest.mark.parametrize(("change", "message"), WRONG_TENSORS, ids=range(len(WRONG_TENSORS)))
def test_tensors_that_are_not_exactly_those_placed_are_listed(
    folder: Path, change: Callable[[dict[str, Tensor]], Any], message: str
) -> None:
    rewrite(folder, change)
    with pytest.raises(CheckpointMismatch, match=message) as caught:
        imported(folder)
    assert len(caught.value.differences) == 1
    assert "model.safetensors` does not fit the model that its settings describe" in str(
        caught.value
    )


def test_all_that_is_wrong_with_tensors_is_said_at_once(folder: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        del tensors["encoder.norm.bias"]
        tensors["extra"] = torch.ones(1)
        tensors["decoder.norm.bias"] = torch.ones(15)

    rewrite(folder, change)
    with pytest.raises(CheckpointMismatch) as caught:
        imported(folder)
    assert len(caught.value.differences) == 3


def test_a_number_that_is_none_is_refused(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors["decoder.norm.bias"].fill_(torch.nan))
    with pytest.raises(CheckpointError, match=r"is refused: `decoder\.norm\.bias` has 16 NaN"):
        imported(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"norm": "post"}, "`norm` can only be 'pre', since the toy has no other, not 'post'"),
        ({"depth": None}, "`depth` is null, and the importer does not know it"),
        ({"width": 16.0}, "`width` must be a value such as 16, not 16.0"),
        ({"vocab_size": True}, "`vocab_size` must be a value such as 5, not true"),
    ],
)
def test_settings_that_ours_cannot_have_are_named(
    folder: Path, config: dict[str, Any], message: str
) -> None:
    publish(folder, toy_model(), **config)
    with pytest.raises(
        CheckpointError, match="has settings that a model of ours cannot have:"
    ) as e:
        imported(folder)
    assert message in str(e.value)


def test_all_settings_that_are_wrong_are_said_at_once(folder: Path) -> None:
    publish(folder, toy_model(), norm="post", depth=3)
    with pytest.raises(CheckpointError, match=r"`norm` can .*; `depth` is 3, and"):
        imported(folder)


def test_a_spec_that_is_wrong_is_refused_with_the_file_that_its_settings_come_from(
    folder: Path,
) -> None:
    publish(folder, toy_model(), width=15)
    config = re.escape(str(folder / "config.json"))
    with pytest.raises(SpecError, match=rf"^{config}: encoder.*2 heads do not divide"):
        imported(folder)


def test_settings_at_which_an_importer_fails_are_named_by_their_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder, toy_model())
    monkeypatch.setattr(ToyImporter, "plan", lambda *_: {"width": 1}["depth"])
    config = re.escape(str(folder / "config.json"))
    with pytest.raises(CheckpointError, match=rf"^`{config}` .* importer raised KeyError: 'depth'"):
        imported(folder)


@pytest.mark.parametrize(
    ("model_type", "message"),
    [
        ("bark", "has the `model_type` 'bark', and `toy` reads 'toy', 'toy_too'; no importer"),
        ("fastspeech2_conformer", "; `fastspeech2-conformer` reads that"),
        (["toy"], r"has the `model_type` \['toy'\]"),
    ],
)
def test_a_folder_of_another_architecture_is_refused_with_the_importer_that_reads_it(
    folder: Path, model_type: Any, message: str
) -> None:
    publish(folder, toy_model(), model_type=model_type)
    with pytest.raises(CheckpointError, match=message):
        imported(folder)


def test_an_importer_that_nobody_brings_is_refused_with_those_there_are(folder: Path) -> None:
    with pytest.raises(UnknownComponent, match="did you mean `toy`"):
        imported(folder, name="tox")


def test_what_is_no_folder_of_a_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere` does not exist; a published checkpoint is"):
        imported(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="safetensors` is a file; a published checkpoint is"):
        imported(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no `model\.safetensors` and no `model.saf"):
        imported(folder)
    (folder / "config.json").unlink()
    with pytest.raises(
        CheckpointError, match=r"has no `config\.json`, which says what the weights"
    ):
        imported(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "tf_model.h5", "model.ckpt"])
def test_weights_that_could_run_code_are_never_opened(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()

    class Trap:
        def __reduce__(self) -> Any:
            return pytest.fail, ("the file was opened",)

    (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match=rf"{name}` is not read: a file of its kind can run"):
        imported(folder)


def test_two_forms_of_weights_are_refused_since_either_may_be_the_newer(folder: Path) -> None:
    write_index(folder, {"a": "model.safetensors"})
    with pytest.raises(CheckpointError, match="each may be the newer; remove one of them"):
        imported(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "could not be read as JSON"),
        ("[1]", "must hold a JSON object, not list"),
        ('{"model_type": "toy", "model_type": "toy"}', "the key 'model_type' stands in it twice"),
        ('{"model_type": "toy", "width": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "could not be read as JSON"),
    ],
    ids=["cut off", "a list", "twice", "NaN", "deep"],
)
def test_settings_that_are_no_json_object_are_refused(
    folder: Path, text: str, message: str
) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        imported(folder)


def test_settings_behind_a_link_or_without_end_are_refused(folder: Path) -> None:
    path = folder / "config.json"
    path.write_bytes(b" " * (16 * 2**20 + 1))
    with pytest.raises(CheckpointError, match="it has more than 16777216 bytes"):
        imported(folder)
    path.rename(folder / "other.json")
    path.symlink_to(folder / "other.json")
    with pytest.raises(CheckpointError, match="must be a regular file; it is a link"):
        imported(folder)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ({"a": 0, "b": 2}, "must give its 2 symbols the indices 0 to 1, each once; none has 1"),
        ({"a": 0, "b": 0}, "each once; none has 1"),
        ({"a": 0, "b": "1"}, "must have an index for each symbol, not '1' for 'b'"),
        ({"a": 0, "b": 1}, "has 2 symbols, and `config.json` has `vocab_size` 5; an index without"),
    ],
)
def test_symbols_without_an_index_of_their_own_are_refused(
    folder: Path, symbols: dict[str, Any], message: str
) -> None:
    (folder / "vocab.json").write_text(json.dumps(symbols), encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        imported(folder, "frontend=null")
