"""A published FastSpeech2Conformer, imported, opened and run: the same mels as transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    FastSpeech2ConformerConfig,
    FastSpeech2ConformerHifiGanConfig,
    FastSpeech2ConformerModel,
    FastSpeech2ConformerWithHifiGan,
    FastSpeech2ConformerWithHifiGanConfig,
)

from kokoro_core import KokoroModel, load_spec
from kokoro_core.cli.app import main
from kokoro_core.contracts import Published, PublishedSettings
from kokoro_plugins.conformer.importer import FastSpeech2ConformerImporter
from tests.kokoro_plugins.conformer.reference import VOCAB, in_double, theirs

NAME = "fastspeech2-conformer"
INDICES = torch.tensor([[3, 4, 5, 6, 7, 2, 11]])


def published(folder: Path, model: Any, **options: Any) -> Path:
    """Give a model random weights, statistics included, and publish it."""
    torch.manual_seed(3)
    with torch.no_grad():
        for each in model.parameters():
            nn.init.normal_(each, std=0.4)
        for name, each in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                nn.init.uniform_(each, 0.5, 1.5)
        model.get_parameter("duration_predictor.linear.bias").fill_(1.2)
    model.save_pretrained(folder, **options)
    return folder


def imported(folder: Path, *options: str) -> KokoroModel:
    out = folder.parent / "out.safetensors"
    main_with("checkpoint", "import", NAME, str(folder), str(out), *options)
    return KokoroModel.load(out)


def main_with(*arguments: str) -> int:
    try:
        main([*arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def mels(model: Any, ours: KokoroModel, tolerance: float) -> None:
    for count in (1, 3, 7):
        with torch.no_grad():
            wanted = model.eval()(INDICES[:, :count]).spectrogram
        spoken = ours.generate(INDICES[:, :count])
        assert spoken.lengths.tolist() == [wanted.shape[1]]
        torch.testing.assert_close(spoken.mel, wanted, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("before", [False, True], ids=["norm after", "norm before"])
@pytest.mark.parametrize("limit", ["5GB", "10KB"], ids=["one file", "many"])
def test_an_imported_model_gives_the_mels_of_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, limit: str
) -> None:
    in_double(monkeypatch)
    settings = {f"{side}_normalize_before": before for side in ("encoder", "decoder")}
    model = theirs(pitch_embed_kernel_size=3, positionwise_conv_kernel_size=5, **settings)
    folder = published(tmp_path / "published", model, max_shard_size=limit)
    assert (folder / "model.safetensors").exists() == (limit == "5GB")
    ours = imported(folder)
    assert next(ours.parameters()).dtype == torch.float64
    mels(model, ours, 1e-9)


def small(**settings: Any) -> Any:
    return theirs(num_mel_bins=80, **settings).config


def test_in_float32_it_does_too(tmp_path: Path) -> None:
    model = FastSpeech2ConformerModel(small()).float()
    mels(model, imported(published(tmp_path / "published", model)), 1e-5)


def test_the_model_beside_a_vocoder_is_taken_and_the_vocoder_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocoder = FastSpeech2ConformerHifiGanConfig(
        upsample_initial_channel=16, resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]]
    )
    both = FastSpeech2ConformerWithHifiGan(
        FastSpeech2ConformerWithHifiGanConfig(
            model_config=small().to_dict(), vocoder_config=vocoder.to_dict()
        )
    )
    alone = both.model
    published(tmp_path / "alone", alone)
    both.save_pretrained(tmp_path / "both")
    ours = imported(tmp_path / "both")
    said = capsys.readouterr().out
    assert "left out: vocoder.conv_post.bias, vocoder.conv_post.weight, vocoder.conv_pre" in said
    assert "more (--tensors lists them), since the vocoder is not the acoustic model's" in said
    assert "passed over: vocoder_config, since the vocoder is not the acoustic model's" in said
    mels(alone, ours, 1e-5)


def test_the_published_phonemes_become_the_frontends(tmp_path: Path) -> None:
    folder = published(tmp_path / "published", FastSpeech2ConformerModel(small()))
    symbols = ["<blank>", "<unk>", "HH", "AH0", "L", "OW1", *"vwxyz", "<sos/eos>"]
    table = {symbol: index for index, symbol in enumerate(symbols)}
    (folder / "vocab.json").write_text(json.dumps(table), encoding="utf-8")
    ours = imported(folder)
    assert ours.spec.frontend is not None
    frontend = ours.spec.frontend.build(ours.spec.sizes)
    assert frontend.symbols == tuple(symbols)
    assert frontend.encode("HH AH0 L OW1") == [2, 3, 4, 5, VOCAB - 1]


def plan(**settings: Any) -> tuple[dict[str, Any], list[str]]:
    config = PublishedSettings(settings)
    published = Published(config, None, PublishedSettings({}))
    spec = dict(FastSpeech2ConformerImporter().plan(published).spec)
    return spec, config.problems()


def test_without_settings_it_is_the_named_spec() -> None:
    spec, problems = plan()
    assert (load_spec(spec), problems) == (load_spec(NAME), [])


def test_the_settings_that_transformers_writes_are_all_known() -> None:
    settings = FastSpeech2ConformerConfig().to_diff_dict()
    assert len(settings) > 50
    assert plan(**settings) == plan()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"reduction_factor": 2}, "`reduction_factor` can only be 1, since its decoder makes one"),
        ({"speaking_speed": 1.5}, "`speaking_speed` can only be 1.0, since the speed is chosen in"),
        (
            {"num_speakers": 3},
            "`num_speakers` can only be null or 1, since the importer places one",
        ),
        ({"num_languages": 3}, "`num_languages` can only be null or 1, since"),
        ({"speaker_embed_dim": 8}, "`speaker_embed_dim` can only be null or 0, since"),
        ({"use_cnn_in_conformer": False}, "`use_cnn_in_conformer` can only be true, since"),
        ({"convolution_bias": False}, "`convolution_bias` can only be true, since"),
        ({"decoder_concat_after": True}, "`decoder_concat_after` can only be false, since"),
        (
            {"encoder_attention_dropout_rate": 0.1},
            "`encoder_attention_dropout_rate` can only be 0.2, since `conformer` has one dropout, "
            "not 0.1",
        ),
        (
            {"decoder_config": {"layers": 6}},
            "`decoder_config.layers` can only be 4, since the setting outside says so, not 6",
        ),
        ({"a_new_one": 1}, "`a_new_one` is 1, and the importer does not know it"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_that_the_components_cannot_express_is_refused_by_name(
    settings: dict[str, Any], problem: str
) -> None:
    [found] = plan(**settings)[1]
    assert found.startswith(problem)


def test_such_a_folder_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = published(tmp_path / "published", FastSpeech2ConformerModel(small(num_speakers=2)))
    out = tmp_path / "out.safetensors"
    assert main_with("checkpoint", "import", NAME, str(folder), str(out)) == 1
    assert "config.json` has settings that a model of ours cannot have: `num_sp" in (
        capsys.readouterr().err
    )
    assert not out.exists()
