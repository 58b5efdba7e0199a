"""A published SpeechT5, imported, opened and run: the same mels as transformers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import SpeechT5Config, SpeechT5ForTextToSpeech
from transformers.models.speecht5 import modeling_speecht5

from kokoro_core import KokoroModel, load_spec
from kokoro_core.cli.app import main
from kokoro_core.contracts import Published, PublishedSettings
from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.speecht5.importer import SpeechT5Importer
from tests.kokoro_plugins.speecht5.reference import (
    CONFIG,
    PAD,
    SPEAKER,
    Dropping,
    sinusoids,
)

THRESHOLD = 0.5
INDICES = torch.tensor([[2, 3, 4, 5, 6, 7], [8, 2, 3, PAD, PAD, PAD]])


def published(folder: Path, dtype: torch.dtype) -> Any:
    """Publish a small model with random weights, statistics included, and return it."""
    torch.manual_seed(14)
    model: Any = SpeechT5ForTextToSpeech(SpeechT5Config(**CONFIG)).double()
    with torch.no_grad():
        for name, each in model.named_parameters():
            lively = re.search(r"decoder.*norm\.weight|feat_out\.weight|prob_out\.weight", name)
            nn.init.normal_(each, std=1.6 if lively else 0.4)
        model.speech_decoder_postnet.prob_out.bias.fill_(-2)
        for name, each in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                nn.init.uniform_(each, 0.5, 1.5)
    model.to(dtype).save_pretrained(folder)
    for side in (model.speecht5.encoder, model.speecht5.decoder):
        positions = side.prenet.encode_positions
        positions.pe = torch.from_numpy(sinusoids(positions.max_len)).unsqueeze(0).to(dtype)
    return model.eval()


def imported(folder: Path) -> KokoroModel:
    out = folder.parent / "out.safetensors"
    with pytest.raises(SystemExit, match="0"):
        main(["checkpoint", "import", "speecht5", str(folder), str(out)])
    return KokoroModel.load(out)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=["64", "32"]
)
def test_an_imported_model_gives_the_mels_of_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, tolerance: float
) -> None:
    reference = published(tmp_path / "published", dtype)
    speaker = torch.randn(2, SPEAKER, dtype=torch.float64).to(dtype)
    dropping = Dropping(RowNoise(range(2)).of("decoder.step"), speaker)
    prenet = modeling_speecht5.SpeechT5SpeechDecoderPrenet
    monkeypatch.setattr(prenet, "_consistent_dropout", dropping)
    mel, lengths = reference.generate(
        INDICES,
        attention_mask=(INDICES != PAD).long(),
        speaker_embeddings=speaker,
        threshold=THRESHOLD,
        return_output_lengths=True,
    )
    ours = imported(tmp_path / "published")
    assert next(ours.parameters()).dtype == dtype
    spoken = ours.generate(
        INDICES, speaker_embedding=speaker, stop_threshold=THRESHOLD, seed=[0, 1]
    )
    assert spoken.lengths.tolist() == lengths == [28, 18]
    close(spoken.mel, mel, tolerance)


def close(found: Tensor, wanted: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(
        found, wanted.masked_fill(found == 0, 0), rtol=tolerance, atol=tolerance
    )


def plan(**settings: Any) -> tuple[dict[str, Any], list[str]]:
    config = PublishedSettings(settings)
    published = Published(config, None, PublishedSettings({}))
    return dict(SpeechT5Importer().plan(published).spec), config.problems()


def test_with_the_published_settings_it_is_the_named_spec() -> None:
    spec, problems = plan(max_text_positions=600)
    weight = {"loss.decoder.guided_attention": 10.0}
    assert problems == []
    assert load_spec(spec) == load_spec("speecht5", overrides=weight)


def test_the_settings_that_transformers_writes_are_all_known() -> None:
    settings = SpeechT5Config().to_diff_dict()
    assert len(settings) > 50
    assert plan(**settings) == plan()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"hidden_act": "relu"}, "`hidden_act` can only be 'gelu', since `speecht5` has no other"),
        ({"layer_norm_eps": 1e-12}, "`layer_norm_eps` can only be 1e-05, since"),
        ({"scale_embedding": True}, "`scale_embedding` can only be false, since"),
        ({"speech_decoder_prenet_layers": 3}, "`speech_decoder_prenet_layers` can only be 2,"),
        (
            {"speech_decoder_prenet_dropout": 0.3},
            "`speech_decoder_prenet_dropout` can only be 0.5, since the reference keeps with this",
        ),
        ({"attention_dropout": 0.0}, "`attention_dropout` can only be 0.1, since `speecht5` has"),
        ({"a_new_one": 1}, "`a_new_one` is 1, and the importer does not know it"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_that_the_components_cannot_express_is_refused_by_name(
    settings: dict[str, Any], problem: str
) -> None:
    assert any(each.startswith(problem) for each in plan(**settings)[1])


def test_without_guided_attention_no_head_is_guided() -> None:
    spec, problems = plan(use_guided_attention_loss=False)
    assert problems == []
    assert spec["decoder"]["guided_heads"] == 0
    assert load_spec(spec).loss.of_parts == {}
