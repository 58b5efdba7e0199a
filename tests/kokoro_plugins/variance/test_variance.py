"""The variance adaptor against FastSpeech2Conformer's parts, and in models of other kinds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import FastSpeech2ConformerConfig
from transformers.models.fastspeech2_conformer import modeling_fastspeech2_conformer as reference

from kokoro_core import KokoroModel, load_spec
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.variance.adaptor import VarianceAdaptor
from kokoro_plugins.variance.params import VarianceParams

SIZES = Sizes(vocab_size=12, pad_id=0, mel_dim=5, hidden_dim=8)
INDICES = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
DURATIONS = torch.tensor([[2, 1, 3, 2], [4, 1, 0, 0]])


def built(**settings: Any) -> VarianceAdaptor:
    torch.manual_seed(0)
    params = VarianceParams(channels=6, num_layers=2, dropout=0.0, **settings)
    adaptor = params.build(SIZES).double().eval()
    for parameter in adaptor.parameters():
        nn.init.normal_(parameter)
    return adaptor


def theirs(adaptor: VarianceAdaptor, kernel: int) -> tuple[Any, Any]:
    """Return the reference's predictor and embedding with the same weights."""
    config = FastSpeech2ConformerConfig(hidden_size=8, encoder_num_attention_heads=2)
    predictor: Any = reference.FastSpeech2ConformerVariancePredictor(config, 2, 6, 3, 0.0).double()
    embedding: Any = reference.FastSpeech2ConformerVarianceEmbedding(
        1, 8, kernel, kernel // 2
    ).double()
    own: Any = adaptor.predictor
    embed: Any = adaptor.embedding
    with torch.no_grad():
        for layer, conv, norm in zip(predictor.conv_layers, own.convs, own.norms, strict=True):
            layer.conv.load_state_dict(conv.conv.state_dict())
            layer.layer_norm.load_state_dict(norm.state_dict())
        predictor.linear.load_state_dict(own.out.state_dict())
        embedding.conv.load_state_dict(embed.conv.state_dict())
    return predictor.eval(), embedding.eval()


@pytest.mark.parametrize("kernel", [1, 3])
def test_it_computes_what_fastspeech2_conformer_computes(kernel: int) -> None:
    adaptor = built(embedding_kernel_size=kernel)
    predictor, embedding = theirs(adaptor, kernel)
    x = torch.randn(1, 7, 8, dtype=torch.float64, requires_grad=True)
    target, mask = torch.randn(1, 7, dtype=torch.float64), torch.zeros(1, 7, dtype=torch.bool)
    made = adaptor(x, mask, target=target)
    predicted = predictor(x).squeeze(2)
    torch.testing.assert_close(made.prediction, predicted, atol=1e-12, rtol=1e-9)
    wanted = x + embedding(target.unsqueeze(2))
    torch.testing.assert_close(made.x, wanted, atol=1e-12, rtol=1e-9)
    loss = nn.functional.mse_loss(predicted, target)
    torch.testing.assert_close(made.losses["prediction"], loss, atol=1e-12, rtol=1e-9)
    ours, other = (torch.autograd.grad(each, x)[0] for each in (made.losses["prediction"], loss))
    torch.testing.assert_close(ours, other, atol=1e-12, rtol=1e-9)
    spoken = adaptor(x, mask, control=1.5)
    torch.testing.assert_close(spoken.x, x + embedding(1.5 * predictor(x)), atol=1e-12, rtol=1e-9)
    assert not spoken.losses


def test_a_row_is_the_same_alone_and_in_a_batch_whatever_stands_at_padding() -> None:
    adaptor = built(embedding_kernel_size=3)
    x, target = torch.randn(2, 6, 8).double(), torch.randn(2, 6).double()
    mask = torch.arange(6) >= torch.tensor([[6], [4]])
    x[1, 4:], target[1, 4:] = torch.nan, torch.nan
    both, alone = adaptor(x, mask, target=target), adaptor(x[1:, :4], mask[1:, :4])
    torch.testing.assert_close(both.prediction[1, :4], alone.prediction[0], atol=1e-12, rtol=0)
    assert not both.x[1, 4:].any()
    assert both.losses["prediction"].isfinite()
    rows = [
        (both.prediction[row, :length] - target[row, :length]).square().sum()
        for row, length in enumerate((6, 4))
    ]
    torch.testing.assert_close(both.losses["prediction"], sum(rows, torch.tensor(0.0)) / 10)


def test_with_a_stopped_gradient_the_predictor_teaches_only_itself() -> None:
    x = torch.randn(1, 5, 8, dtype=torch.float64, requires_grad=True)
    mask, target = torch.zeros(1, 5, dtype=torch.bool), torch.zeros(1, 5, dtype=torch.float64)
    for stop, reaches in ((True, False), (False, True)):
        loss = built(stop_gradient=stop)(x, mask, target=target).losses["prediction"]
        [gradient] = torch.autograd.grad(loss, [x], allow_unused=True)
        assert (gradient is not None and bool(gradient.any())) is reaches


@pytest.mark.parametrize(
    "settings", [{}, {"embedding_kernel_size": 9, "num_layers": 5, "channels": 32}]
)
def test_its_size_is_counted_without_building_it(settings: dict[str, Any]) -> None:
    params = VarianceParams(**settings)
    counted = sum(each.numel() for each in params.build(SIZES).parameters())
    assert params.size(SIZES).parameters == counted


def test_the_named_spec_has_the_parameters_of_its_parts() -> None:
    attention, feed_forward = 4 * (256 * 256 + 256), 256 * 1024 + 1024 + 1024 * 256 + 256
    layer = attention + feed_forward + 2 * 512
    convs = 2 * (256 * 256 * 3 + 256 + 512) + 257
    adaptor = convs + 256 + 256
    parallel = KokoroModel.from_spec("parallel").get_model_info()["total_parameters"]
    found = KokoroModel.from_spec("fastspeech2-small").get_model_info()
    assert found["slots"]["token_adaptors.pitch"]["parameters"] == adaptor
    assert found["slots"]["encoder"]["parameters"] == 63 * 256 + 3 * layer + 512
    assert found["total_parameters"] == parallel + 2 * adaptor


TRANSFORMER = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 8}
DECODERS = [TRANSFORMER, {**TRANSFORMER, "type": "parallel_transformer"}]


def model(**sections: Any) -> KokoroModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": 12, "mel_dim": 5, "hidden_dim": 8}
    parts = {"duration_predictor": {"type": "conv"}, "regulator": {"type": "repeat"}}
    document = {**sizes, "encoder": TRANSFORMER, "decoder": TRANSFORMER, **parts, **sections}
    return KokoroModel.from_spec(load_spec(document))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("regulator", ["repeat", "gaussian"])
def test_pitch_and_energy_go_with_any_regulator_and_decoder(
    decoder: dict[str, Any], regulator: str
) -> None:
    tts = model(
        decoder=decoder,
        regulator={"type": regulator},
        token_adaptors={
            "pitch": {"type": "variance", "num_layers": 5, "kernel_size": 5, "stop_gradient": True},
            "energy": {"type": "variance", "reads": "encoder"},
        },
        features={"pitch": {"per": "frame"}, "energy": {"per": "frame"}},
    )
    mask = torch.arange(8) >= DURATIONS.sum(1, keepdim=True)
    mels, curves = torch.randn(2, 8, 5), torch.randn(2, 2, 8)
    optimizer = torch.optim.Adam(tts.parameters(), lr=1e-2)
    losses: list[Tensor] = []
    for _ in range(30):
        output = tts(
            INDICES, mels, DURATIONS, mel_padding_mask=mask, pitch=curves[0], energy=curves[1]
        )
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.losses["pitch.prediction"].detach())
    assert losses[-1] < losses[0]
    tts.eval()
    given: dict[str, Any] = {"durations": DURATIONS, "stop_threshold": 1.0}
    spoken = tts.generate(INDICES, **given).mel
    higher = tts.generate(INDICES, options={"pitch.control": 2.0}, **given).mel
    assert spoken.shape == higher.shape
    assert not torch.equal(spoken, higher)
