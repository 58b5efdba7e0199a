"""The model against the formulas of the paper, by hand in float64, a row at a time."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from kokoro_core.api import KokoroModel
from kokoro_core.tensors.noise import RowNoise

_found = spec_from_file_location("oracle_of_tacotron", Path(__file__).parent / "oracle.py")
assert _found is not None
assert _found.loader is not None
oracle = module_from_spec(_found)
_found.loader.exec_module(oracle)

DURATIONS = [[2, 0, 3, 1], [4, 2], [1, 1, 2]]
NUM = [len(row) for row in DURATIONS]
LENGTHS = [sum(row) for row in DURATIONS]
NO_DROPOUT = {"encoder.dropout": 0.0, "decoder.dropout": 0.0, "postnet.dropout": 0.0}
TINY = {
    "vocab_size": 11,
    "mel_dim": 3,
    "hidden_dim": 6,
    "encoder.kernel_size": 3,
    "encoder.num_layers": 2,
    "duration_predictor.lstm_dim": 4,
    "regulator.lstm_dim": 4,
    "decoder.prenet_dim": 5,
    "decoder.lstm_dim": 7,
    "decoder.place_dim": 4,
    "postnet.channels": 4,
    "postnet.kernel_size": 3,
    "postnet.num_layers": 2,
    "audio": None,
    "frontend": None,
    "vocoder": None,
    **NO_DROPOUT,
}


def assert_exact(got, wanted, msg=None):
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12, msg=msg)


def filled(**settings):
    """Return a tiny model in float64 in which nothing is as it was initialised."""
    model = KokoroModel.from_spec("non-attentive-tacotron", overrides={**TINY, **settings})
    model = model.double().eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                drawn = torch.rand(value.shape, generator=generator, dtype=value.dtype)
                value.copy_(drawn + 0.5 if "running_var" in name else 1.6 * drawn - 0.8)
    return model


def ragged():
    """Return phonemes, durations and mels of three rows."""
    generator = torch.Generator().manual_seed(4)
    phonemes, durations = torch.zeros(2, 3, max(NUM), dtype=torch.int64)
    mel = torch.randn(3, max(LENGTHS), 3, generator=generator, dtype=torch.float64)
    for row, each in enumerate(DURATIONS):
        phonemes[row, : NUM[row]] = torch.randint(1, 11, (NUM[row],), generator=generator)
        durations[row, : NUM[row]] = torch.tensor(each)
        mel[row, LENGTHS[row] :] = 0
    return phonemes, durations, mel


def memory_by_hand(parts, phonemes, durations):
    hidden = oracle.encode(parts.encoder, phonemes)
    memory = oracle.upsample(parts.regulator, hidden, durations)
    return hidden, oracle.with_places(memory, durations, parts.decoder.place_dim)


def losses_by_hand(parts, phonemes, durations, mel):
    """Return the losses, and each row's refined mel and log durations."""
    coarse_l1, l1, squares, rows = [], [], [], []
    for row, (num, length) in enumerate(zip(NUM, LENGTHS, strict=True)):
        d, target = durations[row, :num], mel[row, :length]
        hidden, memory = memory_by_hand(parts, phonemes[row, :num], d)
        coarse = oracle.decode(parts.decoder, memory, target)
        refined = oracle.refine(parts.postnet, coarse)
        log_durations = oracle.log_durations(parts.duration_predictor, hidden)
        coarse_l1.append((coarse - target).abs())
        l1.append((refined - target).abs())
        squares.append((log_durations - torch.log(d.double() + 1)) ** 2)
        rows.append((refined, log_durations))
    losses = {
        "mel_l1": torch.cat(l1).mean(),
        "mel_l1_coarse": torch.cat(coarse_l1).mean(),
        "duration": torch.cat(squares).mean(),
    }
    return losses, rows


def test_forward_losses_and_every_gradient_are_those_of_the_paper_s_formulas():
    model = filled()
    phonemes, durations, mels = ragged()
    output = model(phonemes, mels, durations)
    losses, rows = losses_by_hand(model.acoustic, *ragged())
    assert output.losses.keys() == losses.keys()
    for row, (mel, log_durations) in enumerate(rows):
        assert_exact(output.mel[row, : LENGTHS[row]], mel)
        assert (output.mel[row, LENGTHS[row] :] == 0).all()
        assert_exact(output.duration_pred[row, : NUM[row]], log_durations)
    names, parameters = zip(*model.named_parameters(), strict=True)
    for name, loss in losses.items():
        assert_exact(output.losses[name], loss)
    got = torch.autograd.grad(output.loss, parameters)
    wanted = torch.autograd.grad(sum(losses.values()), parameters)
    for name, mine, true in zip(names, got, wanted, strict=True):
        assert true.abs().max() > 0, name
        assert_exact(mine, true, msg=name)


def test_generation_and_its_lengths_are_those_of_the_paper_s_formulas():
    model = filled()
    phonemes, _, _ = ragged()
    spoken = model.generate(phonemes)
    parts = model.acoustic
    for row, num in enumerate(NUM):
        hidden = oracle.encode(parts.encoder, phonemes[row, :num])
        frames = torch.exp(oracle.log_durations(parts.duration_predictor, hidden)) - 1
        durations = torch.floor(frames + 0.5).clamp_min(1).long()
        _, memory = memory_by_hand(parts, phonemes[row, :num], durations)
        mel = oracle.refine(parts.postnet, oracle.decode(parts.decoder, memory))
        assert int(spoken.lengths[row]) == len(mel) == int(durations.sum())
        assert_exact(spoken.mel[row, : len(mel)], mel)


def test_in_speaking_the_prenet_drops_by_the_noise_of_the_row():
    model = filled(**{"decoder.dropout": 0.5})
    phonemes, durations, _ = ragged()
    spoken = model.generate(phonemes, durations=durations, seed=[5, 6, 7])
    parts = model.acoustic
    for row, (num, length) in enumerate(zip(NUM, LENGTHS, strict=True)):
        noise = RowNoise([5 + row]).of("decoder.step")
        like = torch.zeros((), dtype=torch.float64)
        drop = [
            [(noise.uniform(1, 5, like=like)[0, 0] >= 0.5) * 2.0 for _ in range(2)]
            for _ in range(length)
        ]
        _, memory = memory_by_hand(parts, phonemes[row, :num], durations[row, :num])
        mel = oracle.refine(parts.postnet, oracle.decode(parts.decoder, memory, drop=drop))
        assert_exact(spoken.mel[row, :length], mel)


def test_a_row_that_drops_is_the_same_alone_and_in_any_batch():
    model = filled(**{"decoder.dropout": 0.5})
    phonemes, durations, _ = ragged()
    together = model.generate(phonemes, durations=durations, seed=[5, 6, 7]).mel
    for row, (num, length) in enumerate(zip(NUM, LENGTHS, strict=True)):
        given = {"durations": durations[row : row + 1, :num], "seed": 5 + row}
        alone = model.generate(phonemes[row : row + 1, :num], **given).mel
        assert_exact(together[row, :length], alone[0])
    other = model.generate(phonemes, durations=durations, seed=[8, 6, 7]).mel
    assert not torch.allclose(other[0], together[0])
    assert_exact(other[1], together[1])


def test_without_dropout_in_speaking_nothing_is_drawn():
    model = filled(**{"decoder.dropout": 0.5, "decoder.speaking_dropout": False})
    phonemes, durations, _ = ragged()
    first, second = (model.generate(phonemes, durations=durations, seed=s).mel for s in (1, 2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("encoder.kernel_size", 4, "must be odd to have a middle, not 4; 5 is Tacotron 2's"),
        ("decoder.place_dim", 3, "multiple of 2"),
        ("regulator.lstm_dim", 3, "multiple of 2"),
        ("hidden_dim", 5, "must be even, half for each direction, not 5"),
    ],
)
def test_settings_that_cannot_be_built_are_problems_of_the_spec(setting, value, message):
    with pytest.raises(ValueError, match=message):
        KokoroModel.from_spec("non-attentive-tacotron", overrides={setting: value})


def test_a_decoder_says_what_it_lacks():
    decoder = filled().acoustic.decoder
    memory, mask = torch.zeros(1, 2, 6).double(), torch.zeros(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="`place_dim` needs a plan; it works only with a regul"):
        decoder.init_state(memory, mask, 2)
    with pytest.raises(ValueError, match="one vector a frame, but there are 2 and 3 frames"):
        decoder(memory, mask, torch.zeros(1, 3, 3).double(), torch.zeros(1, 3, dtype=torch.bool))


def lstm_parameters(inputs, width):
    return 4 * (width * inputs + width * width + 2 * width)


def by_formula(vocab, mel, h, duration, ranges, prenet, lstm, place, channels):
    """Return the parameters of a model of three, two, two, two and five layers."""
    conv = lambda a, b: 5 * a * b + b + 2 * b  # noqa: E731  with its normalisation
    encoder = vocab * h + 3 * conv(h, h) + 2 * lstm_parameters(h, h // 2)
    predictors = 0
    for inputs, width in ((h, duration), (h + 1, ranges)):
        first, second = lstm_parameters(inputs, width // 2), lstm_parameters(width, width // 2)
        predictors += 2 * first + 2 * second + width + 1
    memory = h + place
    decoder = (mel + 1) * prenet + (prenet + 1) * prenet
    decoder += lstm_parameters(prenet + memory, lstm) + lstm_parameters(lstm, lstm)
    decoder += (lstm + memory + 1) * mel
    postnet = conv(mel, channels) + 3 * conv(channels, channels) + conv(channels, mel)
    return encoder + predictors + decoder + postnet


@pytest.mark.parametrize(
    ("name", "sizes", "count"),
    [
        ("non-attentive-tacotron", (63, 80, 512, 512, 512, 256, 1024, 32, 512), 32_293_186),
        ("non-attentive-tacotron-small", (63, 80, 128, 64, 64, 64, 256, 32, 64), 1_664_066),
    ],
)
def test_the_named_specs_have_exactly_the_parameters_of_the_formula(name, sizes, count):
    with torch.device("meta"):
        model = KokoroModel.from_spec(name)
    assert sum(each.numel() for each in model.parameters()) == by_formula(*sizes) == count
