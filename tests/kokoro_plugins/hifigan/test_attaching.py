"""The vocoder `hifigan` in a checkpoint: settings in the spec, weights beside the model's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel, SpecError, load_spec
from kokoro_core.cli.app import main
from kokoro_core.model.vocoder import assemble_vocoder
from kokoro_core.speech import speak
from kokoro_plugins.hifigan.generator_settings import GeneratorSettings
from kokoro_plugins.hifigan.params import HifiGanParams
from tests.kokoro_core.test_api import TINY
from tests.kokoro_plugins.hifigan.test_hifigan import AUDIO, HOP, MELS, SMALL, published, rewrite

SPEAKING: dict[str, Any] = {
    **TINY,
    "mel_dim": MELS,
    "audio": AUDIO.model_dump(mode="json"),
    "frontend": {"type": "symbols", "symbols": [*"_abcdefgh"]},
    "vocab_size": 9,
}
MODEL = "model.safetensors"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    KokoroModel.from_spec("small", overrides=SPEAKING).save(MODEL)


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["checkpoint", *arguments])
    return int(ended.value.code or 0)


def test_a_published_one_travels_with_the_model_and_needs_its_folder_no_more() -> None:
    reference = published(Path("published"), sampling_rate=AUDIO.sample_rate)
    assert status("attach", MODEL, "published") == 0
    shutil.rmtree("published")
    model = KokoroModel.load(MODEL)
    params = model.spec.vocoder
    assert isinstance(params, HifiGanParams)
    assert params.generator == GeneratorSettings(
        channels=8,
        rates=(4, 2),
        rate_kernel_sizes=(8, 4),
        kernel_sizes=(3, 5),
        dilations=((1, 3), (1, 2)),
    )
    made = model.generate(torch.tensor([[1, 2]]), max_mel_len=6, min_frames=3)
    with torch.no_grad():
        wanted = reference(made.mel[0] * AUDIO.std + AUDIO.mean)
    assert model.vocoder is not None
    spoken = speak(model, "a b", max_mel_len=6, min_frames=3)
    assert len(spoken.samples) == len(wanted) == int(made.lengths[0]) * HOP
    torch.testing.assert_close(spoken.samples, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sampling_rate": 16000}, "`published` was made for the `sample_rate` 16000, and `audio`"),
        ({"sampling_rate": AUDIO.sample_rate, "model_in_dim": 4}, "made for the `n_mels` 4, and"),
    ],
)
def test_one_of_other_mels_is_refused(
    settings: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    published(Path("published"), **settings)
    before = Path(MODEL).read_bytes()
    assert status("attach", MODEL, "published") == 1
    assert said in capsys.readouterr().err
    assert Path(MODEL).read_bytes() == before


def test_a_folder_that_no_vocoder_reads_is_looked_at_as_a_checkpoint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    published(Path("published"))
    rewrite(Path("published"), model_type="univnet")
    assert status("attach", MODEL, "published") == 1
    assert "published/model.safetensors" in capsys.readouterr().err


def test_without_a_folder_it_is_built_of_its_settings_and_waits_for_weights() -> None:
    small = {
        "channels": SMALL["upsample_initial_channel"],
        "rates": SMALL["upsample_rates"],
        "rate_kernel_sizes": SMALL["upsample_kernel_sizes"],
    }
    vocoder = {"type": "hifigan", "generator": small}
    model = KokoroModel.from_spec("small", overrides={**SPEAKING, "vocoder": vocoder})
    with pytest.raises(ValueError, match=r"The vocoder `hifigan` of `small` has no weights yet"):
        speak(model, "a b")


def test_without_settings_it_is_v1() -> None:
    audio = AUDIO.model_copy(update={"n_mels": 80, "hop_length": 256})
    whole = assemble_vocoder(HifiGanParams(), audio, device="meta")
    assert sum(each.numel() for each in whole.parameters()) == 13_926_017


@pytest.mark.parametrize(
    ("vocoder", "said"),
    [
        ({"folder": "x", "generator": {}}, "`folder` has settings of its own, so `generator` must"),
        ({"generator": {"rates": [4]}}, "`rate_kernel_sizes` must have one for each of"),
        (
            {"generator": {"rates": [4], "rate_kernel_sizes": [7]}},
            "`rate_kernel_sizes` must exceed `rates` by even numbers",
        ),
        ({"generator": {"kernel_sizes": [3]}}, "`dilations` must have a list for each of"),
        ({"generator": {"kernel_sizes": [3, 4, 5]}}, r"`kernel_sizes` must be odd, .* not \[4\]"),
        ({"generator": {"channels": 24}}, "`channels` 24 must be a multiple of 16, since each"),
    ],
)
def test_settings_that_do_not_fit_are_refused(vocoder: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_spec("small", overrides={**SPEAKING, "vocoder": {"type": "hifigan", **vocoder}})
