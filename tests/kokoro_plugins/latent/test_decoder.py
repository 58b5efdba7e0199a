"""The decoder over latents: its loss by hand, and rows that draw for themselves."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from kokoro_core.api import KokoroModel
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_core.tensors.noise import RowNoise

TINY = {
    "vocab_size": 11,
    "mel_dim": 3,
    "hidden_dim": 8,
    "encoder.num_layers": 1,
    "encoder.num_heads": 2,
    "encoder.ff_dim": 12,
    "decoder.width": 8,
    "decoder.num_layers": 2,
    "decoder.num_heads": 2,
    "decoder.ff_dim": 12,
    "decoder.head.width": 10,
    "decoder.head.num_layers": 2,
    "decoder.head.frequencies": 4,
    "decoder.reduction_factor": 2,
    "audio": None,
    "frontend": None,
    "vocoder": None,
}
DURATIONS = torch.tensor([[2, 1, 4], [3, 2, 0], [1, 3, 0]])
LENGTHS = [7, 5, 4]
NUM = [3, 2, 2]
PHONEMES = torch.tensor([[4, 5, 6], [7, 8, 0], [9, 3, 0]])


@pytest.fixture(scope="module")
def model():
    return filled()


def filled(**settings):
    """Return a tiny model in float64 in which every parameter is random."""
    made = KokoroModel.from_spec("latent-small", overrides={**TINY, **settings}).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in made.parameters():
            value.copy_(torch.randn(value.shape, generator=generator, dtype=value.dtype) * 0.3)
    return made


def mels():
    generator = torch.Generator().manual_seed(2)
    made = torch.randn(3, 7, 3, generator=generator, dtype=torch.float64)
    return made.masked_fill(padding_mask_from_lengths(torch.tensor(LENGTHS), 7).unsqueeze(2), 0)


def assert_exact(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


def memory_of(model, row):
    acoustic = model.acoustic
    phonemes, mask = PHONEMES[row : row + 1, : NUM[row]], torch.zeros(1, NUM[row]).bool()
    hidden = acoustic.encoder(phonemes, mask)
    plan = acoustic.regulator.plan(hidden, DURATIONS[row : row + 1, : NUM[row]], mask)
    return acoustic.regulator.expand(plan, hidden)


def stepped(model, row, fed, *, noise=None, **options):
    """Return mel and stop logits of a row, a step at a time without a batch."""
    decoder, memory = model.acoustic.decoder, memory_of(model, row)
    mask = torch.zeros(1, memory.shape[1]).bool()
    state = decoder.init_state(memory, mask, LENGTHS[row], **options)
    made = [decoder.step(each, state, noise) for each in fed]
    return tuple(torch.cat(each, dim=1) for each in zip(*made, strict=True))


def normed(x, norm):
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias


def conditions_by_hand(decoder, memory, mel):
    """Return the backbone's vectors (G, W) of a row, without positions and without a cache."""
    groups = F.pad(memory, (0, 0, 0, len(memory) % 2)).view(-1, 2 * memory.shape[1])
    fed = F.pad(mel, (0, 0, 0, len(mel) % 2)).view(-1, 6)
    x = decoder.latent_in(torch.cat([torch.zeros_like(fed[:1]), fed[:-1]]))
    x = x + decoder.memory_in(groups)
    for layer in decoder.layers:
        attention, inner = layer.self_attention, normed(x, layer.attention_norm)
        queries, (keys, values) = attention.query(inner), attention.key_value(inner).chunk(2, 1)
        attended = torch.zeros_like(x)
        for g in range(len(x)):
            for head in (slice(0, 4), slice(4, 8)):
                scores = keys[: g + 1, head] @ queries[g, head] / 2
                attended[g, head] = scores.softmax(0) @ values[: g + 1, head]
        x = x + attention.out(attended)
        inner = normed(x, layer.feed_forward_norm)
        x = x + layer.feed_forward[2](layer.feed_forward[0](inner).clamp_min(0))
    return normed(x, decoder.norm)


def fed_of(mel):
    """Return the pairs of frames that the steps of a row are fed: zeros, then the true ones."""
    padded = torch.cat([torch.zeros(1, 2, 3).double(), mel], dim=1)
    return [padded[:, 2 * g : 2 * g + 2] for g in range(-(-mel.shape[1] // 2))]


def test_the_loss_is_the_error_of_velocities_by_hand_and_every_gradient_with_it():
    model = filled(**{"decoder.positional_encoding": {"type": "none"}})
    output = model(PHONEMES, mels(), DURATIONS, seed=[5, 6, 7])
    assert list(output.losses) == ["decoder.flow", "duration", "stop"]
    wanted = torch.cat([flow_errors(model, row) for row in range(3)]).mean()
    assert_exact(output.losses["decoder.flow"], wanted)
    parameters = [p for n, p in model.named_parameters() if "stop_out" not in n and "dur" not in n]
    got = torch.autograd.grad(output.losses["decoder.flow"], parameters)
    for mine, true in zip(got, torch.autograd.grad(wanted, parameters), strict=True):
        assert true.abs().max() > 0
        assert_exact(mine, true)


def test_in_training_a_share_of_what_is_fed_is_noise_and_in_evaluation_none_is():
    settings = {"decoder.positional_encoding": {"type": "none"}, "decoder.teacher_noise": 0.5}
    model = filled(**settings).train()
    loss = model(PHONEMES, mels(), DURATIONS, seed=[5, 6, 7]).losses["decoder.flow"]
    wanted = torch.cat([flow_errors(model, row, disturbed=0.5) for row in range(3)]).mean()
    assert_exact(loss, wanted)
    quiet = model.eval()(PHONEMES, mels(), DURATIONS, seed=[5, 6, 7]).losses["decoder.flow"]
    assert_exact(quiet, torch.cat([flow_errors(model, row) for row in range(3)]).mean())


def flow_errors(model, row, disturbed=0.0):
    """Return the squared errors of a row's velocities, by hand."""
    length, like = LENGTHS[row], torch.zeros((), dtype=torch.float64)
    groups = -(-length // 2)
    padded = F.pad(mels()[row, :length], (0, 0, 0, 2 * groups - length))
    latents = padded.view(groups, 6)
    noise = RowNoise([5 + row]).of("decoder")
    teacher = noise.of("teacher")
    share = teacher.uniform(groups, 1, like=like)[0] * disturbed
    drawn = teacher.normal(groups, 6, like=like)[0]
    fed = torch.sqrt(share) * drawn + torch.sqrt(1 - share) * latents
    decoder = model.acoustic.decoder
    condition = conditions_by_hand(decoder, memory_of(model, row)[0], fed.view(-1, 3))
    start, times = noise.normal(groups, 6, like=like)[0], noise.uniform(groups, 1, like=like)[0]
    at = (1 - times) * start + times * latents
    error = decoder.head(at, condition, times) - (latents - start)
    return error.view(-1, 3)[:length].flatten() ** 2


def test_a_step_without_noise_makes_what_forward_makes(model):
    output = model(PHONEMES, mels(), DURATIONS, seed=1)
    for row, length in enumerate(LENGTHS):
        mel, stop = stepped(model, row, fed_of(mels()[row : row + 1, :length]))
        assert_exact(output.mel[row, :length], mel[0, :length])
        assert_exact(output.stop_logits[row, :length], stop[0, :length])
        assert (output.mel[row, length:] == 0).all()


def speak(model, rows, seed, **options):
    num = max(NUM[row] for row in rows)
    given = {f"decoder.{name}": value for name, value in options.items()}
    return model.generate(
        PHONEMES[rows, :num],
        durations=DURATIONS[rows, :num],
        seed=seed,
        options=given,
        stop_threshold=1.0,
    ).mel


def test_generation_is_that_of_steps_which_draw_from_the_noise_of_their_row(model):
    spoken = speak(model, [0, 1, 2], [5, 6, 7], temperature=0.7, steps=3)
    decoder = model.acoustic.decoder
    for row, length in enumerate(LENGTHS):
        noise = RowNoise([5 + row]).of("decoder.step")
        memory = memory_of(model, row)
        mask = torch.zeros(1, length).bool()
        state = decoder.init_state(memory, mask, length, temperature=0.7, steps=3)
        frames, made = torch.zeros(1, 2, 3).double(), []
        for _ in range(-(-length // 2)):
            frames, _ = decoder.step(frames, state, noise)
            made.append(frames)
        assert_exact(spoken[row, :length], torch.cat(made, dim=1)[0, :length])
        assert (spoken[row, length:] == 0).all()


@pytest.mark.parametrize("rows", [[0], [1], [2, 0], [1, 1, 2]])
def test_a_row_that_draws_is_the_same_in_any_batch(model, rows):
    seeds = [5, 6, 7]
    together = speak(model, [0, 1, 2], seeds)
    some = speak(model, rows, [seeds[row] for row in rows])
    for place, row in enumerate(rows):
        assert_exact(some[place, : LENGTHS[row]], together[row, : LENGTHS[row]])


def test_a_seed_reproduces_and_another_one_does_not(model):
    first, again, other = (speak(model, [0, 1], seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_at_temperature_0_nothing_that_is_drawn_matters(model):
    first, other = (speak(model, [0, 1], seed, temperature=0) for seed in (3, 4))
    assert torch.equal(first, other)


def test_an_option_out_of_range_is_refused(model):
    with pytest.raises(ValueError, match=r"`decoder.steps` must be from 1 to 1000, not 0"):
        speak(model, [0], 1, steps=0)
    with pytest.raises(ValueError, match=r"`decoder.temperature` must be from 0"):
        speak(model, [0], 1, temperature=-1.0)


def test_heads_that_do_not_divide_the_width_are_a_problem_of_the_spec():
    with pytest.raises(ValueError, match="5 heads do not divide the width 192"):
        KokoroModel.from_spec("latent-small", overrides={"decoder.num_heads": 5})


def test_a_step_past_the_room_of_its_state_is_refused(model):
    decoder = model.acoustic.decoder
    state = decoder.init_state(memory_of(model, 2), torch.zeros(1, 4).bool(), 4)
    with pytest.raises(ValueError, match="room for 2 groups but was asked for group 3"):
        decoder.step(torch.zeros(1, 6, 3).double(), state)


def test_the_named_spec_has_exactly_the_parameters_of_a_formula_by_hand():
    with torch.device("meta"):
        made = KokoroModel.from_spec("latent-small")
    h, w, f, latent = 128, 192, 64, 320
    layer = lambda d, ff: 4 * d * (d + 1) + 2 * d * ff + ff + d + 4 * d  # noqa: E731
    encoder = 63 * h + 3 * layer(h, 512) + 2 * h
    predictor = h * (h + 1) + (h + 1) * h // 2 + h // 2 + 1
    backbone = 3 * layer(w, 768) + 2 * w + (latent + 1) * w + (4 * h + 1) * w + (w + 1) * 4
    time = (f + 1) * w + (w + 1) * w + w
    blocks = 3 * (2 * w + 2 * (w + 1) * w + (w + 1) * 3 * w)
    head = (latent + 1) * w + (w + 1) * w + time + blocks + (w + 1) * 2 * w + (w + 1) * latent
    count = sum(each.numel() for each in made.parameters())
    assert count == encoder + predictor + backbone + head == 2_965_125
