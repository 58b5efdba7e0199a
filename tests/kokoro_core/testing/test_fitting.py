"""What the kit makes small: never against what `tiny` says, nor past a component's own rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.contracts import Encoder, PositionalEncoding
from kokoro_core.params.component import StrictModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import EncoderParams, PositionalEncodingParams
from kokoro_core.spec.load import load_spec
from kokoro_core.tensors.masks import zero_padding
from kokoro_core.testing.engine.component import check_component, subjects_of
from kokoro_core.testing.engine.targets import spec_targets
from kokoro_core.testing.subjects.model_subject import small_model
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.subjects.tiny import narrowed
from kokoro_plugins.transformer.params import TransformerEncoderParams
from tests.kokoro_core.testing.small import tiny_params

pytestmark = pytest.mark.same_everywhere


class InnerParams(StrictModel):
    """Settings inside others."""

    num_heads: int = 4
    num_layers: int = 6
    dropout: float = 0.3


class OuterParams(EncoderParams):
    """An encoder with settings inside its own, and rules between them and the sizes."""

    type: Literal["outer"] = "outer"
    num_heads: int = 4
    num_layers: int = 6
    ff_dim: int = 64
    inner: InnerParams = InnerParams()

    def build(self, sizes: Sizes) -> Encoder:
        return Embedded(sizes)


class Embedded(Encoder):
    """An embedding."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embedding = nn.Embedding(sizes.vocab_size, sizes.hidden_dim)

    def forward(self, phoneme_indices: Tensor, padding_mask: Tensor) -> Tensor:
        return zero_padding(self.embedding(phoneme_indices), padding_mask)


class OfEighty(OuterParams):
    """An encoder for mels of 80 channels alone, in models 24 channels wide."""

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"": {"num_heads": 1, "sizes": {"mel_dim": 80, "hidden_dim": 24}}}

    def cross_check(self, sizes: Sizes) -> Iterator[tuple[str, str]]:
        if (sizes.mel_dim, sizes.hidden_dim) != (80, 24):
            yield "", f"it is made for 80 channels in a model of 24, not {sizes}"


@pytest.mark.parametrize("target", [OfEighty, OfEighty(num_layers=1)], ids=["class", "settings"])
def test_sizes_that_tiny_says_are_those_of_the_model_around(target: Any) -> None:
    (subject,) = subjects_of([target])
    assert (subject.sizes.mel_dim, subject.sizes.hidden_dim) == (80, 24)
    assert subject.sizes.vocab_size == 11
    assert not subject.note
    assert check_component(target, only=["shapes", "row-alone"]).ok


def test_a_size_that_no_model_has_is_refused() -> None:
    class Params(OuterParams):
        """Says a size that there is not."""

        @classmethod
        def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
            return {"": {"sizes": {"width": 80}}}

    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        subjects_of([Params])


def test_what_tiny_says_inside_other_settings_stays_and_the_rest_is_made_small() -> None:
    class Params(OuterParams):
        """Says something of its inner settings."""

        @classmethod
        def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
            inner = InnerParams(num_heads=1)
            return {"": {"inner": {"num_heads": 1}}, "whole": {"inner": inner, "num_layers": 3}}

    first, whole = (each for each in tiny_params(Params).values())
    assert isinstance(first, Params)
    assert isinstance(whole, Params)
    assert (first.inner.num_heads, first.inner.num_layers, first.inner.dropout) == (1, 2, 0.0)
    assert (first.num_heads, first.num_layers) == (2, 2)
    assert whole.inner == InnerParams(num_heads=1)
    assert (whole.num_layers, whole.ff_dim) == (3, 20)


def test_a_dropout_that_tiny_says_stays() -> None:
    class Params(OuterParams):
        """Is tried with dropout."""

        @classmethod
        def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
            return {"": {"inner": {"dropout": 0.2}}}

    [params] = tiny_params(Params).values()
    assert isinstance(params, Params)
    assert params.inner.dropout == 0.2


class FourHeadsParams(OuterParams):
    """Needs at least four heads, and channels for them."""

    type: Literal["four_heads"] = "four_heads"  # type: ignore[assignment]

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        if self.num_heads < 4:
            yield "num_heads", f"{self.num_heads} are too few; take 4"
        if sizes.hidden_dim // self.num_heads < 4:
            yield "", f"a head must have 4 channels, not {sizes.hidden_dim // self.num_heads}"


def test_a_setting_that_a_rule_wants_stays_and_the_model_is_as_wide_as_the_rule_wants() -> None:
    [subject] = subjects_of([FourHeadsParams])
    assert isinstance(subject.params, FourHeadsParams)
    assert (subject.params.num_heads, subject.params.num_layers) == (4, 2)
    assert subject.sizes.hidden_dim == 16
    assert "`encoder/four_heads` is tried in a wider model (hidden_dim 16)" in subject.note
    assert "num_heads: 2 are too few" in subject.note
    report = check_component(FourHeadsParams, only="shapes")
    assert report.notes == (subject.note,)


def test_what_cannot_be_small_is_one_line_that_says_how_to_say_tiny() -> None:
    class Never(OuterParams):
        """Refuses everything."""

        def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
            yield "num_layers", "never right"

    with pytest.raises(
        ValueError, match=r"`encoder/outer` cannot be made small: num_layers: never"
    ):
        check_component(Never)
    with pytest.raises(ValueError, match="let `tiny` give settings that are small and right"):
        check_component(Never)


class PartialRotary(PositionalEncoding):
    """Turns a share of a head's channels, which must be pairs."""

    def __init__(self, head_dim: int, share: float) -> None:
        super().__init__()
        self.turned = int(head_dim * share)
        if self.turned % 2:
            raise ValueError(f"{share} of {head_dim} channels must be even")

    def rotate(
        self, q: Tensor, k: Tensor, q_positions: Tensor, k_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self._turn(q, q_positions), self._turn(k, k_positions)

    def _turn(self, x: Tensor, positions: Tensor) -> Tensor:
        turned, rest = x[..., : self.turned], x[..., self.turned :]
        half = self.turned // 2
        scale = 100.0 ** -(torch.arange(half, dtype=torch.float64) / half)
        angles = positions.double().unsqueeze(-1) * scale
        angles = angles if positions.dim() == 1 else angles.unsqueeze(1)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = turned.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


class PartialRotaryParams(PositionalEncodingParams):
    """Turns a share of the channels of each head."""

    type: Literal["partial_rotary"] = "partial_rotary"
    share: float = 0.5

    def build(self, *, hidden_dim: int, num_heads: int) -> PositionalEncoding:
        return PartialRotary(hidden_dim // num_heads, self.share)


BESIDE_TORCH = {"params-without-torch": "its params stand beside its module"}


def test_an_encoding_that_turns_half_of_narrow_heads_raises_no_alarm() -> None:
    report = check_component(PartialRotaryParams, expected_failures=BESIDE_TORCH)
    assert report.notes == ()


def test_a_component_that_refuses_narrow_heads_is_tried_with_wider_ones() -> None:
    report = check_component(PartialRotaryParams(share=0.25), expected_failures=BESIDE_TORCH)
    [note] = report.notes
    assert "(hidden_dim 16), since 0.25 of 4 channels must be even" in note


def fields_of(subject: Any) -> tuple[int, int]:
    return subject.params.num_heads, subject.params.num_layers


def test_a_spec_is_made_small_as_far_as_its_rules_allow() -> None:
    spec = load_spec("default").model_copy(update={"encoder": FourHeadsParams(num_heads=8)})
    model = small_model(spec, "default")
    encoder = model.spec.encoder
    assert isinstance(encoder, FourHeadsParams)
    assert encoder.num_heads == 8
    assert model.spec.decoder.num_layers == 2  # type: ignore[attr-defined]
    assert model.spec.hidden_dim == 32
    assert "encoder.num_heads: 2 are too few" in model.note
    assert model.build().spec.hidden_dim == 32
    [part] = [each for each in spec_targets(spec) if isinstance(each, Subject)][:1]
    assert fields_of(part) == (8, 2)


def test_a_spec_that_no_smaller_one_is_like_is_tried_as_it_is() -> None:
    class Wide(OuterParams):
        """Is right at one width alone."""

        def cross_check(self, sizes: Sizes) -> Iterator[tuple[str, str]]:
            if sizes.hidden_dim != 512:
                yield "", f"512 channels, not {sizes.hidden_dim}"

    spec = load_spec("default").model_copy(update={"encoder": Wide()})
    model = small_model(spec)
    assert (model.spec.hidden_dim, model.spec.encoder) == (512, Wide())
    assert "encoder: 512 channels, not 8" in model.note
    part = spec_targets(spec)[0]
    assert isinstance(part, Subject)
    assert part.sizes.hidden_dim == 512


def test_what_has_no_rules_against_it_is_as_small_as_ever() -> None:
    [pre, post] = subjects_of([TransformerEncoderParams])
    assert {pre.sizes.hidden_dim, post.sizes.hidden_dim} == {8}
    assert (pre.note, post.note) == ("", "")
    assert small_model(load_spec("default")).note == ""
    assert small_model(load_spec("default")).spec.hidden_dim == 8


def test_no_size_in_a_spec_stays_larger_than_its_component_declares_as_small() -> None:
    matcha = small_model(load_spec("matcha")).spec
    decoder = matcha.decoder.model_dump()
    assert {name: decoder[name] for name in ("channels", "head_dim", "steps")} == {
        "channels": (24, 24),  # the least that `tiny` has, and as many as the spec has
        "head_dim": 3,
        "steps": 2,
    }
    assert matcha.generation.options == {"decoder.steps": 2, "decoder.temperature": 0.667}
    latent = small_model(load_spec("latent-small")).spec.decoder.model_dump()
    assert (latent["head"]["width"], latent["reduction_factor"]) == (6, 4)


class Told(OuterParams):
    """An encoder whose `tiny` is larger than its defaults, smaller, of another kind, and wrong."""

    depths: tuple[int, ...] = (9, 2)
    kind: int | str = 5
    share: float = 0.5

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        inner = {"num_heads": 1, "num_layers": 7, "dropout": 0.1}
        own = {"num_heads": 16, "depths": [3, 4, 5], "kind": "x", "share": 0.1, "lost": 1}
        return {"": {**own, "inner": inner}, "other": {"num_heads": 1}}


def test_sizes_are_whole_numbers_and_only_ever_lowered() -> None:
    made = narrowed(Told())
    assert isinstance(made, Told)
    assert (made.num_heads, made.depths, made.kind, made.share) == (4, (3, 2), 5, 0.5)
    assert made.inner == InnerParams(num_heads=1, num_layers=6, dropout=0.3)


def test_a_tiny_that_raises_lowers_nothing() -> None:
    class Raising(OuterParams):
        """Cannot say what is small."""

        @classmethod
        def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
            raise KeyError("size")

    assert narrowed(Raising()) == Raising()
