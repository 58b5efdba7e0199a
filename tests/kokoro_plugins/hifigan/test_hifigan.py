"""The vocoder `hifigan` against transformers, and its promises: rows, lengths, chunks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    FastSpeech2ConformerConfig,
    FastSpeech2ConformerHifiGan,
    FastSpeech2ConformerHifiGanConfig,
    FastSpeech2ConformerWithHifiGan,
    FastSpeech2ConformerWithHifiGanConfig,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

from kokoro_core import AudioSettings, KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.errors import AudioMismatch, CheckpointError
from kokoro_core.speech import speak
from kokoro_plugins.hifigan.folder import read_folder
from kokoro_plugins.hifigan.generator import Generator
from kokoro_plugins.hifigan.params import HifiGanParams
from kokoro_plugins.hifigan.vocoder import HifiGan

MELS, HOP = 5, 8
AUDIO = AudioSettings(n_mels=MELS, hop_length=HOP)
SMALL: dict[str, Any] = {
    "model_in_dim": MELS,
    "upsample_initial_channel": 8,
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
}


def filled(model: Any) -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        for each in model.parameters():
            nn.init.normal_(each, std=0.3)
        for name, each in model.named_buffers():
            if name.rpartition(".")[2] in ("mean", "scale"):
                nn.init.uniform_(each, 0.5, 1.5)
    return model.eval()


def published(folder: Path, dtype: torch.dtype = torch.float32, **settings: Any) -> Any:
    config = FastSpeech2ConformerHifiGanConfig(**{**SMALL, **settings})
    model = filled(FastSpeech2ConformerHifiGan(config).double()).to(dtype)
    model.save_pretrained(folder)
    return model


def read_generator(folder: Path) -> Generator:
    return read_folder(folder).generator


def vocoder(folder: Path) -> HifiGan:
    return HifiGanParams(folder=str(folder)).build(AUDIO)


@pytest.mark.parametrize("normalises", [True, False])
def test_its_wave_is_the_references(tmp_path: Path, normalises: bool) -> None:
    reference = published(tmp_path, torch.float64, normalize_before=normalises)
    mel = torch.randn(2, 9, MELS, dtype=torch.float64)
    with torch.no_grad():
        found, wanted = read_generator(tmp_path)(mel), reference(mel)
    assert found.shape == (2, 9 * HOP)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def model_with_vocoder(folder: Path) -> Any:
    sizes: dict[str, Any] = {f"{side}_linear_units": 8 for side in ("encoder", "decoder")}
    sizes |= {"encoder_layers": 1, "decoder_layers": 1, "hidden_size": 8, "num_mel_bins": MELS}
    both = filled(
        FastSpeech2ConformerWithHifiGan(
            FastSpeech2ConformerWithHifiGanConfig(
                model_config=FastSpeech2ConformerConfig(vocab_size=6, **sizes).to_dict(),
                vocoder_config=FastSpeech2ConformerHifiGanConfig(**SMALL).to_dict(),
            )
        )
    )
    nn.init.ones_(both.model.duration_predictor.linear.bias)
    both.save_pretrained(folder)
    table = {each: index for index, each in enumerate(["_", "a", "b", "c", "d", "<sos/eos>"])}
    (folder / "vocab.json").write_text(json.dumps(table), encoding="utf-8")
    return both


def test_speecht5s_is_read_too_and_the_one_beside_an_acoustic_model(tmp_path: Path) -> None:
    mel = torch.randn(1, 4, MELS)
    config = {**SMALL, "sampling_rate": 16000}
    alone = filled(SpeechT5HifiGan(SpeechT5HifiGanConfig(**config)))
    alone.save_pretrained(tmp_path / "alone")
    both = model_with_vocoder(tmp_path / "both")
    for folder, reference, rate in (("alone", alone, 16000), ("both", both.vocoder, 22050)):
        with torch.no_grad():
            wanted = reference(mel).reshape(1, -1)
        audio = AUDIO.model_copy(update={"sample_rate": rate})
        made = HifiGanParams(folder=str(tmp_path / folder)).build(audio)
        found = made.decode(mel, torch.tensor([4]))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_an_imported_model_speaks_with_it_the_wave_of_the_published_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reference = model_with_vocoder(tmp_path / "both")
    settings = (
        *("--set", f"audio={{n_mels: {MELS}, hop_length: {HOP}, mean: 0.0, std: 1.0}}"),
        *("--set", "vocoder={type: hifigan, folder: both}"),
    )
    with pytest.raises(SystemExit, match="0"):
        main(["checkpoint", "import", "fastspeech2-conformer", "both", "o.safetensors", *settings])
    spoken = speak(KokoroModel.load("o.safetensors"), "c a d b")
    with torch.no_grad():
        wanted = reference(torch.tensor([[3, 1, 4, 2, 5]])).waveform.flatten()
    assert spoken.frames * HOP == len(wanted) > 5 * HOP
    torch.testing.assert_close(spoken.samples, wanted, rtol=1e-5, atol=1e-5)


def test_the_published_settings_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        ours = Generator()
        reference = FastSpeech2ConformerHifiGan(FastSpeech2ConformerHifiGanConfig())
    assert sum(each.numel() for each in ours.parameters()) == 13_926_017
    assert sum(each.numel() for each in reference.parameters()) == 13_926_017


def test_a_row_is_the_same_alone_and_in_a_batch_and_silent_after_its_length(
    tmp_path: Path,
) -> None:
    published(tmp_path)
    mel = torch.randn(3, 7, MELS)
    mel[1, 4:] = torch.nan
    lengths = torch.tensor([7, 4, 1])
    made = vocoder(tmp_path)
    waves = made.decode(mel, lengths)
    assert (waves.shape, waves.dtype) == ((3, 7 * HOP), torch.float32)
    for row, length in enumerate(lengths.tolist()):
        alone = made.decode(mel[row : row + 1, :length], lengths[row : row + 1])
        assert torch.equal(waves[row, : length * HOP], alone[0])
        assert not waves[row, length * HOP :].any()


@pytest.mark.parametrize("sizes", [[40], [1] * 40, [3, 17, 20], [30, 1, 9]])
def test_chunks_together_are_the_whole(tmp_path: Path, sizes: list[int]) -> None:
    published(tmp_path, torch.float64)
    made = vocoder(tmp_path)
    mel = torch.randn(40, MELS)
    whole = made.decode(mel.unsqueeze(0), torch.tensor([40]))[0]
    parts = list(made.stream(mel.split(sizes)))
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-7)
    assert len(parts) > 1 or sizes == [40]


def test_no_chunks_are_no_wave(tmp_path: Path) -> None:
    published(tmp_path)
    assert list(vocoder(tmp_path).stream([])) == []


def reach_of(generator: Generator, frames: int) -> int:
    """Return how far from its own the frames are that a sample depends on, by gradients."""
    middle = frames // 2
    hop = generator.hop_length
    mel = torch.randn(1, frames, len(generator.mean), dtype=torch.float64, requires_grad=True)
    wave = generator.double()(mel)
    (gradient,) = torch.autograd.grad(wave[0, middle * hop : (middle + 1) * hop].sum(), mel)
    seen = gradient[0].abs().sum(1).nonzero().flatten()
    return int((seen - middle).abs().max())


def test_the_declared_reach_is_enough_and_not_much_more(tmp_path: Path) -> None:
    published(tmp_path)
    small = read_generator(tmp_path)
    torch.manual_seed(0)
    thin = filled(Generator(mel_dim=2, channels=16))
    for generator, frames in ((small, 61), (thin, 61)):
        reached = reach_of(generator, frames)
        assert reached <= generator.receptive_field <= reached + 4


def test_mels_of_other_settings_are_refused(tmp_path: Path) -> None:
    published(tmp_path)
    params = HifiGanParams(folder=str(tmp_path))
    with pytest.raises(AudioMismatch, match="made for the `hop_length` 8, and `audio` has 256"):
        params.build(AudioSettings(n_mels=MELS))
    with pytest.raises(AudioMismatch, match="made for the `n_mels` 5, and `audio` has 80"):
        params.build(AudioSettings(hop_length=HOP))


def test_a_folder_of_another_sample_rate_is_refused_where_it_is_built(tmp_path: Path) -> None:
    published(tmp_path, sampling_rate=16000)
    with pytest.raises(AudioMismatch, match="made for the `sample_rate` 16000, and `audio` has 22"):
        vocoder(tmp_path)


def test_its_mels_are_normalised_by_what_recordings_are_like(tmp_path: Path) -> None:
    published(tmp_path, torch.float64)
    made, mel = vocoder(tmp_path).double(), torch.randn(1, 4, MELS, dtype=torch.float64)
    mean, deviation = torch.randn(MELS).double(), torch.rand(MELS).double() + 0.5
    made.fit_mels(torch.zeros(MELS), torch.ones(MELS))
    wanted = made(mel)
    made.fit_mels(mean, deviation)
    torch.testing.assert_close(made(mel * deviation + mean), wanted)


def test_a_mel_that_is_not_finite_is_refused_and_padding_is_not_looked_at(tmp_path: Path) -> None:
    published(tmp_path)
    made, mel = vocoder(tmp_path), torch.zeros(2, 4, MELS)
    mel[1, 3] = torch.nan
    assert made.decode(mel, torch.tensor([4, 3])).isfinite().all()
    with pytest.raises(ValueError, match="`mel` has a NaN or an infinity in row 1; a mel is fini"):
        made.decode(mel, torch.tensor([4, 4]))


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((2, 4, 6), [4, 4], r"`mel` must be \(B, T, 5\), not \(2, 4, 6\)"),
        ((2, 4, MELS), [4], "one number for each of the 2 rows"),
        ((2, 4, MELS), [4, 5], "within 1 and the 4 frames of `mel`, but row 1 has 5"),
        ((2, 4, MELS), [0, 4], "but row 0 has 0"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    tmp_path: Path, shape: tuple[int, ...], lengths: list[int], message: str
) -> None:
    published(tmp_path)
    with pytest.raises(ValueError, match=message):
        vocoder(tmp_path).decode(torch.zeros(shape), torch.tensor(lengths))


def rewrite(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, **settings}), encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "univnet"}, "has the `model_type` 'univnet'; `hifigan` reads 'fastspeech2"),
        ({"a_new_one": 1}, "`a_new_one` is 1, and the importer does not know it"),
        ({"upsample_kernel_sizes": [8, 3]}, "must exceed `upsample_rates` by even numbers"),
        ({"upsample_kernel_sizes": [8]}, "must have one for each of"),
        ({"resblock_kernel_sizes": [3]}, "`resblock_dilation_sizes` must have a list for each of"),
        ({"upsample_initial_channel": 6}, "`upsample_initial_channel` 6 must be a multiple of 4"),
        ({"upsample_initial_channel": 0}, "`upsample_initial_channel`: .* greater than .* not 0"),
        ({"upsample_rates": [0, 4]}, r"`upsample_rates\.0`: .* greater than or equal to 1, not 0"),
        ({"upsample_rates": ["4", 2]}, r"`upsample_rates\.0`: .* valid integer, not '4'"),
        ({"leaky_relu_slope": -0.5}, "`leaky_relu_slope`: .* greater than or equal to 0, not -0.5"),
        ({"model_in_dim": 0}, "`model_in_dim` must be 1 or more, not 0"),
        ({"upsample_initial_channel": 16}, r"`conv_pre.weight` is \(8, 5, 7\), not \(16, 5, 7\)"),
    ],
    ids=[
        *("type", "unknown", "odd", "rates", "blocks", "halves", "none", "zero", "text", "slope"),
        *("mels", "shape"),
    ],
)
def test_a_folder_of_something_else_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    published(tmp_path)
    rewrite(tmp_path, **settings)
    with pytest.raises(CheckpointError, match=message):
        read_generator(tmp_path)


def test_tensors_that_are_not_its_own_are_refused(tmp_path: Path) -> None:
    tensors: dict[str, Tensor] = dict(published(tmp_path).state_dict())
    tensors["extra"] = tensors.pop("scale")
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="`scale` is missing; `extra` has no place"):
        read_generator(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"model.safetensors` could not be read: "):
        read_generator(tmp_path)


@pytest.mark.parametrize(("text", "message"), [("{", "as JSON"), ("[]", "JSON object, not list")])
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CheckpointError, match="could not be read as JSON"):
        read_generator(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        read_generator(tmp_path)
