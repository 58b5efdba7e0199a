"""The prior side of a published VITS, imported, opened and run: the same latents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import VitsConfig, VitsModel

from kokoro_core import KokoroModel, load_spec
from kokoro_core.cli.app import main
from kokoro_core.contracts import Published, PublishedSettings
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.vits.importer import VitsImporter
from tests.kokoro_plugins.vits.reference import CHANNELS, VOCAB, small

INDICES = torch.tensor([[3, 4, 5, 6, 7, 2, 11], [8, 9, 1, 0, 0, 0, 0]])
SEEDS = [5, 6]


def published(folder: Path, dtype: torch.dtype = torch.float32, **settings: Any) -> Any:
    """Publish a small model with random weights, and return it."""
    torch.manual_seed(2)
    decoder = {"upsample_initial_channel": 16, "resblock_kernel_sizes": [3]}
    shape = {"resblock_dilation_sizes": [[1]], "posterior_encoder_num_wavenet_layers": 1}
    config = VitsConfig(**{**small().to_diff_dict(), **decoder, **shape, **settings})
    model: Any = VitsModel(config).double()
    with torch.no_grad():
        for each in model.parameters():
            nn.init.normal_(each, std=0.3)
    model.to(dtype).save_pretrained(folder)
    return model.eval()


def imported(folder: Path) -> KokoroModel:
    out = folder.with_suffix(".safetensors")
    with pytest.raises(SystemExit, match="0"):
        main(["checkpoint", "import", "vits", str(folder), str(out)])
    return KokoroModel.load(out)


def latents(model: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, list[int]]:
    """Return what the reference's decoder would speak, drawn as ours draws, and the lengths."""
    like = model.text_encoder.embed_tokens.weight
    noise = RowNoise(SEEDS)
    of_durations = noise.of("duration_predictor").normal(INDICES.shape[1], 2, like=like)
    of_latents = noise.of("decoder").normal(400, CHANNELS, like=like).transpose(1, 2)
    with monkeypatch.context() as patched, torch.no_grad():
        patched.setattr(torch, "randn", lambda *shape, **options: of_durations.transpose(1, 2))
        patched.setattr(torch, "randn_like", lambda means: of_latents[..., : means.shape[2]])
        output = model(INDICES, attention_mask=(INDICES != 0).long())
    lengths = output.sequence_lengths // 256
    return output.spectrogram.transpose(1, 2), lengths.tolist()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=["64", "32"]
)
def test_an_imported_model_gives_the_latents_of_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, tolerance: float
) -> None:
    settings = {"speaking_rate": 0.7, "noise_scale": 0.5, "noise_scale_duration": 0.6}
    reference = published(tmp_path / "published", dtype, **settings)
    wanted, lengths = latents(reference, monkeypatch)
    spoken = imported(tmp_path / "published").generate(INDICES, seed=SEEDS)
    assert spoken.mel.dtype == dtype
    assert spoken.lengths.tolist() == lengths
    torch.testing.assert_close(spoken.mel, wanted, rtol=tolerance, atol=tolerance)


def test_weights_that_were_published_before_torch_2_are_read_too(tmp_path: Path) -> None:
    published(tmp_path / "new")
    published(tmp_path / "old")
    tensors = load_file(tmp_path / "old" / "model.safetensors")
    renamed = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): each
        for name, each in tensors.items()
    }
    assert "flow.flows.0.wavenet.in_layers.0.weight_g" in renamed
    save_file(renamed, tmp_path / "old" / "model.safetensors")
    new, old = (imported(tmp_path / each).acoustic.state_dict() for each in ("new", "old"))
    assert all(torch.equal(old[name], each) for name, each in new.items())


def test_the_prior_side_is_all_of_what_decoder_and_posterior_leave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(tmp_path / "published")
    model = imported(tmp_path / "published")
    said = capsys.readouterr().out
    assert "left out: decoder.conv_post.weight, decoder.conv_pre.bias, decoder.conv_pre" in said
    assert (
        "and 24 more (--tensors lists them), since it makes waves of latents\nleft out: pos" in said
    )
    assert model.spec.mel_dim == CHANNELS


def test_characters_are_read_with_the_first_symbol_between_them(tmp_path: Path) -> None:
    published(tmp_path / "published")
    symbols = ["k", "'", "z", "y", "u", "d", "h", "e", "s", "w", " ", "<unk>"]
    assert len(symbols) == VOCAB
    table = {symbol: index for index, symbol in enumerate(symbols)}
    folder = tmp_path / "published"
    (folder / "vocab.json").write_text(json.dumps(table), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"add_blank": true}', encoding="utf-8")
    model = imported(folder)
    assert model.spec.pad_id == VOCAB - 1
    assert model.spec.frontend is not None
    indices = model.spec.frontend.build(model.spec.sizes).encode("Hey d")
    assert indices == [0, 6, 0, 7, 0, 3, 0, 10, 0, 5, 0]
    assert int(model.generate(torch.tensor([indices]), seed=1).lengths) > 0


def plan(**settings: Any) -> tuple[dict[str, Any], list[str]]:
    config = PublishedSettings(settings)
    published = Published(config, None, PublishedSettings({}))
    return dict(VitsImporter().plan(published).spec), config.problems()


def test_with_the_published_settings_its_parts_are_those_of_the_named_spec_but_for_its_prior() -> (
    None
):
    of_vits: dict[str, Any] = {
        **{"encoder.mean_only": False, "decoder.mean_only": True},
        "decoder.log_scale": "log_sigma",
    }
    spec, named = load_spec(plan()[0]), load_spec("flow", overrides=of_vits)
    for part in ("encoder", "duration_predictor", "regulator", "decoder"):
        assert getattr(spec, part) == getattr(named, part)


def test_the_settings_that_transformers_writes_are_all_known() -> None:
    settings = VitsConfig().to_diff_dict()
    assert len(settings) > 40
    assert plan(**settings) == plan()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"num_speakers": 109},
            "`num_speakers` can only be 1, since the importer places one voice",
        ),
        ({"use_stochastic_duration_prediction": False}, "`use_stochastic_duration_prediction` can"),
        ({"hidden_act": "gelu"}, "`hidden_act` can only be 'relu', since `vits` has no other"),
        ({"use_bias": False}, "`use_bias` can only be true, since the attention of `vits` has"),
        ({"attention_dropout": 0.0}, "`attention_dropout` can only be 0.1, since `vits` has one"),
        ({"depth_separable_channels": 4}, "`depth_separable_channels` can only be 2, since"),
        ({"a_new_one": 1}, "`a_new_one` is 1, and the importer does not know it"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_that_the_components_cannot_express_is_refused_by_name(
    settings: dict[str, Any], problem: str
) -> None:
    [found] = plan(**settings)[1]
    assert found.startswith(problem)
