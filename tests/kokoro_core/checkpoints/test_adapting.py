"""From a checkpoint to another model, on purpose and never in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core import KokoroModel, SpecError, load_spec
from kokoro_core.checkpoints.adapt import Adapt, Adaptation, vocabulary_by_symbol
from kokoro_core.checkpoints.adapt_model import vocabulary_axes
from kokoro_core.errors import CheckpointError
from tests.kokoro_core.test_api import DURATIONS, INDICES, TINY, tiny

TABLE = "encoder.embedding.weight"
State = dict[str, torch.Tensor]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tiny().save(path)
    return path


@pytest.fixture
def old() -> State:
    return tiny().acoustic.state_dict()


def adapted(path: Path, **options: Any) -> tuple[KokoroModel, Adaptation, State]:
    said: list[str] = []
    torch.manual_seed(1)  # what starts anew has other numbers than `tiny`
    model = KokoroModel.load(path, adapt=Adapt(**options, say=said.append))
    report = model.adaptation
    assert report is not None
    assert said == [str(report)]
    check_the_report_is_complete(model, path, report)
    return model, report, model.acoustic.state_dict()


def check_the_report_is_complete(model: KokoroModel, path: Path, report: Adaptation) -> None:
    """Every tensor of the model is in one list, and each of the checkpoint's is used or left."""
    names = [*report.taken, *report.partly, *report.fresh]
    assert sorted(names) == sorted(model.acoustic.state_dict())
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        stored = set(file.keys())
    assert set(report.left) <= stored
    assert len(report.taken) + len(report.partly) + len(report.left) == len(stored)
    assert json.loads(json.dumps(report.as_dict())) == report.as_dict()


def test_without_a_change_everything_is_taken(path: Path, old: State) -> None:
    _, report, new = adapted(path)
    assert report.taken == tuple(old)
    assert (report.partly, report.fresh, report.left, report.changes) == ({}, {}, {}, ())
    assert all(torch.equal(new[name], old[name]) for name in old)


def test_a_vocabulary_grows_at_its_end(path: Path, old: State) -> None:
    overrides = {"vocab_size": 70}
    model, report, new = adapted(path, overrides=overrides, vocabulary="append")
    assert model.spec.vocab_size == 70
    assert report.partly == {TABLE: "63 of 70 phonemes"}
    assert report.fresh == report.left == {}
    assert torch.equal(new[TABLE][:63], old[TABLE])
    torch.manual_seed(1)
    fresh = tiny_of(overrides).acoustic.state_dict()
    assert torch.equal(new[TABLE][63:], fresh[TABLE][63:])
    assert [(each.path, each.old, each.new) for each in report.changes] == [("vocab_size", 63, 70)]


def tiny_of(overrides: dict[str, Any]) -> KokoroModel:
    torch.manual_seed(1)
    return KokoroModel.from_spec("small", overrides={**TINY, **overrides})


def test_a_model_with_more_phonemes_says_the_old_ones_as_before(path: Path) -> None:
    before = tiny().eval().generate(INDICES, durations=DURATIONS).mel
    model, _, _ = adapted(path, overrides={"vocab_size": 70}, vocabulary="append")
    assert not model.training
    assert torch.equal(model.generate(INDICES, durations=DURATIONS).mel, before)


def test_a_vocabulary_changes_by_symbol(path: Path, old: State) -> None:
    symbols = [f"s{index}" for index in range(63)]
    changed = ["s0", "new", *reversed(symbols[1:40])]
    mapping = vocabulary_by_symbol(symbols, changed)
    overrides = {"vocab_size": len(changed)}
    _, report, new = adapted(path, overrides=overrides, vocabulary=mapping)
    assert report.partly == {TABLE: "40 of 41 phonemes"}
    for index, symbol in enumerate(changed):
        if symbol != "new":
            assert torch.equal(new[TABLE][index], old[TABLE][symbols.index(symbol)])


def test_phonemes_can_be_shuffled_in_a_vocabulary_of_the_same_size(path: Path, old: State) -> None:
    mapping = {index: 62 - index for index in range(63)}
    _, _, new = adapted(path, vocabulary=mapping)
    assert torch.equal(new[TABLE], old[TABLE].flip(0))


def test_layers_are_added_and_dropped(path: Path, old: State) -> None:
    overrides = {"encoder.num_layers": 1, "decoder.num_layers": 3}
    _, report, new = adapted(path, overrides=overrides)
    assert all(name.startswith("decoder.layers.2.") for name in report.fresh)
    assert all(name.startswith("encoder.layers.1.") for name in report.left)
    assert set(report.fresh.values()) == {"not in the checkpoint"}
    assert set(report.left.values()) == {"not in the model"}
    assert all(torch.equal(new[name], old[name]) for name in report.taken)


def test_another_decoder_starts_anew_and_the_encoder_stays(path: Path, old: State) -> None:
    spec = load_spec("parallel", overrides={**TINY, "audio": None})
    model, report, new = adapted(path, spec=spec, fresh=["decoder"])
    assert type(model.acoustic.decoder).__name__ == "ParallelTransformerDecoder"
    assert {name.partition(".")[0] for name in report.fresh} == {"decoder", "duration_predictor"}
    assert "as asked for" in report.fresh.values()
    assert all(torch.equal(new[name], old[name]) for name in report.taken)
    assert any(name.startswith("encoder.layers.1.") for name in report.taken)


def test_other_mel_channels_leave_what_touches_them(path: Path, old: State) -> None:
    overrides = {"mel_dim": 40, "audio": None}
    _, report, new = adapted(path, overrides=overrides)
    expected = {name for name, each in old.items() if 80 in each.shape}
    assert set(report.fresh) == set(report.left) == expected
    assert report.fresh["decoder.mel_out.bias"] == "(40,) in the model, (80,) in the checkpoint"
    assert all(new[name].isfinite().all() for name in new)


def test_to_take_nothing_is_refused(path: Path) -> None:
    with pytest.raises(CheckpointError, match="`adapt` would take nothing") as caught:
        adapted(path, fresh=["encoder", "duration_predictor", "decoder"])
    assert "KokoroModel.from_spec" in str(caught.value)


def test_settings_that_no_shape_shows_are_in_the_report(path: Path) -> None:
    _, report, _ = adapted(path, overrides={"encoder.num_heads": 4})
    assert report.fresh == {}
    assert [(each.path, each.old, each.new) for each in report.changes] == [
        ("encoder.num_heads", 2, 4)
    ]
    assert "setting encoder.num_heads: 2 → 4" in str(report)


def test_tensors_are_found_by_other_names(path: Path, tmp_path: Path, old: State) -> None:
    from kokoro_core.checkpoints.locate import checkpointer_for
    from registry import installed_plugins

    checkpointer = checkpointer_for(path, installed_plugins())
    metadata = checkpointer.read_metadata(path)
    moved = {name.replace("encoder.", "text."): each for name, each in old.items()}
    checkpointer.save(path, moved, metadata)
    with pytest.raises(CheckpointError, match=r"`encoder\.embedding\.weight` is missing"):
        KokoroModel.load(path)
    _, report, new = adapted(path, renames={"text": "encoder"})
    assert report.fresh == report.left == {}
    assert all(torch.equal(new[name], old[name]) for name in old)


def test_a_model_of_another_precision_stays_in_it(path: Path) -> None:
    tiny().to(torch.bfloat16).save(path)
    model, _, new = adapted(path, overrides={"decoder.num_layers": 3})
    assert {each.dtype for each in new.values()} == {torch.bfloat16}
    assert {each.dtype for each in model.buffers()} == {torch.bfloat16}


def test_weights_of_16_bits_are_widened_and_what_is_new_is_never_rounded(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    tiny().to(torch.float16).save(path)
    old = KokoroModel.load(path).acoustic.state_dict()
    overrides = {"vocab_size": 70}
    torch.manual_seed(1)
    adapt = Adapt(overrides=overrides, vocabulary="append", say=lambda line: None)
    model = KokoroModel.load(path, adapt=adapt, widen=True)
    assert {each.dtype for each in (*model.parameters(), *model.buffers())} == {torch.float32}
    new = model.acoustic.state_dict()
    assert torch.equal(new[TABLE][:63], old[TABLE].float())
    torch.manual_seed(1)
    fresh = tiny_of(overrides).acoustic
    assert torch.equal(new[TABLE][63:], fresh.state_dict()[TABLE][63:])
    assert all(torch.equal(new[name], old[name].float()) for name in old if name != TABLE)
    for name, computed in fresh.named_buffers():
        assert torch.equal(dict(model.acoustic.named_buffers())[name], computed)


def test_an_adapted_model_is_saved_as_what_it_is(path: Path, tmp_path: Path) -> None:
    model, _, new = adapted(path, overrides={"vocab_size": 70}, vocabulary="append")
    model.save(tmp_path / "new.safetensors")
    loaded = KokoroModel.load(tmp_path / "new.safetensors")
    assert loaded.spec == model.spec
    assert loaded.adaptation is None
    assert all(torch.equal(each, new[name]) for name, each in loaded.acoustic.state_dict().items())


def test_an_adapted_model_can_be_trained(path: Path) -> None:
    model, _, _ = adapted(path, overrides={"vocab_size": 70}, vocabulary="append")
    output = model.train()(INDICES, torch.randn(2, 5, 80), DURATIONS)
    output.loss.backward()
    assert all(each.requires_grad for each in model.parameters())
    assert model.acoustic.get_parameter(TABLE).grad is not None


def test_the_report_is_readable(path: Path) -> None:
    overrides = {"vocab_size": 70, "decoder.num_layers": 4, "encoder.num_layers": 1}
    _, report, _ = adapted(
        path, overrides=overrides, vocabulary="append", fresh=["decoder.stop_out"]
    )
    lines = str(report).splitlines()
    assert lines[0] == f"adapted from {path}"
    assert "  setting vocab_size: 63 → 70" in lines
    assert f"    {TABLE}: 63 of 70 phonemes" in lines
    assert "    decoder.stop_out.bias: as asked for" in lines
    assert any("decoder.layers.*." in line and "(2): not in the check" in line for line in lines)
    assert any(
        "encoder.layers.*." in line and line.endswith(": not in the model") for line in lines
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"overrides": {"vocab_size": 70}},
            "`vocab_size` is 63 in the checkpoint and 70 in the new spec; say with `vocabulary`",
        ),
        (
            {"overrides": {"vocab_size": 50}, "vocabulary": "append"},
            "`vocabulary='append'` needs at least the 63 phonemes of the checkpoint, not 50",
        ),
        ({"vocabulary": {63: 0}}, "`vocabulary` maps 63 to 0; new indices are 0 to 62"),
        ({"vocabulary": {0: -1}}, "`vocabulary` maps 0 to -1; new indices are 0 to 62 and old"),
        ({"fresh": ["decodr"]}, "`fresh` has `decodr`, with which no tensor begins; they begin"),
        ({"fresh": ["decoder.layers.1", "deco"]}, "`fresh` has `deco`, with which no tensor"),
        ({"renames": {"text": "encoder"}}, "`renames` has `text`, with which no tensor begins"),
        (
            {"renames": {"encoder.layers.0": "encoder.layers.1"}},
            "`renames` would give .* and .* the same name `encoder.layers.1.",
        ),
    ],
    ids=lambda each: None if isinstance(each, str) else next(iter(each)),
)
def test_what_is_asked_for_and_cannot_be_is_refused(
    path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        adapted(path, **options)


def test_a_new_spec_with_problems_is_refused(path: Path) -> None:
    with pytest.raises(SpecError, match="num_head"):
        adapted(path, overrides={"encoder.num_head": 2})


def test_a_damaged_checkpoint_is_not_adapted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        adapted(path, overrides={"decoder.num_layers": 3})


def test_the_list_is_printed_unless_it_goes_elsewhere(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = KokoroModel.load(path, adapt=Adapt())
    assert capsys.readouterr().out == f"{model.adaptation}\n"


def test_the_list_does_no_harm_to_a_terminal(path: Path) -> None:
    tiny(name="\x1b[2J").save(path)
    _, report, _ = adapted(path, overrides={"name": "mine"})
    assert "setting name: \\x1b[2J → mine" in str(report)


@pytest.mark.parametrize("name", ["small", "voice", "parallel", "mixed"])
def test_the_axis_of_the_phonemes_is_found_without_knowing_a_component(name: str) -> None:
    assert vocabulary_axes(load_spec(name, overrides={"frontend": None})) == {TABLE: 0}


symbols = st.lists(st.text(min_size=1, max_size=2), unique=True, max_size=8)


@settings(max_examples=50, deadline=None)
@given(old=symbols, new=symbols)
@example(old=[], new=[])
@example(old=["a", "b"], new=["b", "c", "a"])
def test_symbols_that_are_in_both_are_mapped_and_no_others(old: list[str], new: list[str]) -> None:
    mapping = vocabulary_by_symbol(old, new)
    assert {new[to]: old[source] for to, source in mapping.items()} == {
        each: each for each in old if each in new
    }


@pytest.mark.parametrize("side", [lambda old: (old, ["a"]), lambda new: (["a"], new)], ids="ab")
def test_a_symbol_that_stands_twice_is_refused(side: Callable[[list[str]], Any]) -> None:
    with pytest.raises(ValueError, match=r"must have each symbol once; \['b'\] stand in it twice"):
        vocabulary_by_symbol(*side(["b", "c", "b"]))
