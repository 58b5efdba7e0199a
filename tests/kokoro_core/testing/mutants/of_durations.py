"""Broken duration predictors."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from kokoro_core.contracts import DurationOutput
from tests.kokoro_core.testing.mutants.blocks import Conv, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import ConvPredictorParams, LikelihoodParams
from tests.kokoro_core.testing.mutants.sound_durations import ConvPredictor, LikelihoodPredictor

mutant = mutants_of(ConvPredictorParams)
likely = mutants_of(LikelihoodParams)


@mutant("frames at padding are not masked", killed_by="padding-is-zero")
class FramesAtPadding(ConvPredictor):
    def frames(self, hidden, padding_mask):
        return self.counted(self(hidden, padding_mask).duration_pred) + 1


@mutant("the prediction at padding is not masked", killed_by="padding-is-zero")
class PredictionAtPadding(ConvPredictor):
    def finish(self, x, padding_mask):
        return x


@mutant("every phoneme gets a frame after padding was masked", killed_by="frames-not-negative")
class OneFrameAfterMask(ConvPredictor):
    def frames(self, hidden, padding_mask):
        return super().frames(hidden, padding_mask).clamp_min(1)


@mutant("frames are cut to whole numbers", killed_by="frames-from-log")
class CutFrames(ConvPredictor):
    def counted(self, duration_pred):
        return torch.expm1(duration_pred).trunc()


@mutant("frames are rounded before anyone can scale them", killed_by="frames-vary")
class RoundedFrames(ConvPredictor):
    def head(self, x):
        return torch.log1p(torch.expm1(super().head(x)).round()) + 0 * x.sum(-1)

    def counted(self, duration_pred):
        return torch.expm1(duration_pred).round()


@mutant("frames may be negative", killed_by="frames-not-negative")
class NegativeFrames(ConvPredictor):
    def head(self, x):
        return self.out(x).squeeze(-1)


@mutant("frames are one too many: the 1 is not taken off", killed_by="frames-from-log")
class OneTooMany(ConvPredictor):
    def counted(self, duration_pred):
        return duration_pred.exp()


@mutant("frames are read in another base than they are trained in", killed_by="frames-from-log")
class OtherBase(ConvPredictor):
    def counted(self, duration_pred):
        return 2**duration_pred - 1


@mutant("frames explode to infinity for large inputs", killed_by="frames-not-negative")
class InfiniteFrames(ConvPredictor):
    def head(self, x):
        return super().head(x) * (1 + 4000 * x.abs().mean(-1))


@mutant("frames know the true durations of the call before", killed_by="row-alone")
class KnowsTheTruth(ConvPredictor):
    def forward(self, hidden, padding_mask, durations=None):
        if durations is not None:
            self.__dict__["seen"] = torch.log1p(durations.to(hidden.dtype))
        output = super().forward(hidden, padding_mask)
        seen = self.__dict__.get("seen")
        if seen is None or seen.shape != padding_mask.shape:
            return output
        return DurationOutput(zeroed(output.duration_pred + 0.1 * seen.mean(), padding_mask))


@mutant(
    "the prediction is told the true durations that it is to predict", killed_by="frames-from-log"
)
class ToldTheTruth(ConvPredictor):
    def forward(self, hidden, padding_mask, durations=None):
        output = super().forward(hidden, padding_mask)
        if durations is None:
            return output
        assert output.duration_pred is not None
        told = 0.01 * torch.log1p(durations.to(hidden.dtype))
        return DurationOutput(zeroed(output.duration_pred + told, padding_mask))


@mutant("hidden is zeroed in the caller's tensor", killed_by="inputs-unchanged")
class WritesHidden(ConvPredictor):
    def start(self, hidden, padding_mask):
        if hidden.requires_grad:
            return super().start(hidden, padding_mask)
        return hidden.masked_fill_(padding_mask.unsqueeze(2), 0)


@mutant("padding is multiplied by 0, which keeps a NaN", killed_by="padding-nan")
class MultipliesPadding(ConvPredictor):
    def start(self, hidden, padding_mask):
        return hidden * ~padding_mask.unsqueeze(2)

    class conv_type(Conv):  # noqa: N801
        def clean(self, x, padding_mask):
            return x * ~padding_mask.unsqueeze(2)

    def __init__(self, *, width, dropout):
        super().__init__(width=width, dropout=dropout)
        self.first = self.conv_type(width, width)


@mutant("the gradient of padding is infinity times 0", killed_by="padding-nan")
class NanGradient(ConvPredictor):
    def start(self, hidden, padding_mask):
        return zeroed(hidden.abs().sqrt() * hidden.sign(), padding_mask)


@mutant(
    "a NaN at padding changes frames and stays unseen",
    killed_by="nan-is-loud",
    declares={"nan_safe_padding": False},
)
class QuietNan(ConvPredictor):
    def start(self, hidden, padding_mask):
        return super().start(hidden, padding_mask) + 0.01 * hidden.isnan().any()


@mutant("frames are a hair below 0 where nothing is heard", killed_by="frames-not-negative")
class HairBelowZero(ConvPredictor):
    def head(self, x):
        return super().head(x) * (self.out(x).squeeze(-1) > 0)

    def counted(self, duration_pred):
        return torch.expm1(duration_pred) - 1e-13


@mutant("it is cut off from the encoder", killed_by="sensitivity")
class DetachedHidden(ConvPredictor):
    def start(self, hidden, padding_mask):
        return super().start(hidden, padding_mask).detach()


@mutant("it always says the same", killed_by="frames-vary")
class AlwaysTheSame(ConvPredictor):
    def head(self, x):
        return torch.zeros_like(super().head(x)) + 1 + 0 * self.out(x).squeeze(-1)


@mutant("only the first phoneme of a row is looked at", killed_by="reach")
class FirstPhonemeOnly(ConvPredictor):
    def head(self, x):
        return super().head(x[:, :1].expand_as(x))


@mutant("rows are squeezed away", killed_by="shapes")
class SqueezedRows(ConvPredictor):
    def head(self, x):
        return F.softplus(self.out(x).squeeze() + 1)


@mutant("the second convolution reads what the first made of padding", killed_by="row-alone")
class SecondReadsPadding(ConvPredictor):
    class conv_type(Conv):  # noqa: N801
        def clean(self, x, padding_mask):
            return x


@mutant("durations are divided by the longest row's", killed_by="row-alone")
class OverLongest(ConvPredictor):
    def frames(self, hidden, padding_mask):
        return super().frames(hidden, padding_mask) * (padding_mask.shape[1] / 5)


@mutant(
    "a norm over the batch is used in training and nobody is told",
    killed_by="row-alone-in-training",
)
class SecretBatchNorm(ConvPredictor):
    def __init__(self, *, width, dropout):
        super().__init__(width=width, dropout=dropout)
        self.batch_norm = nn.BatchNorm1d(width)

    def start(self, hidden, padding_mask):
        clean = super().start(hidden, padding_mask)
        return zeroed(self.batch_norm(clean.transpose(1, 2)).transpose(1, 2), padding_mask)


@mutant("the true durations are written to", killed_by="inputs-unchanged")
class WritesDurations(ConvPredictor):
    def forward(self, hidden, padding_mask, durations=None):
        if durations is not None:
            durations.clamp_(min=1)
        return super().forward(hidden, padding_mask)


@likely("the loss is a mean over padding as well", killed_by="more-padding")
class LossOverPadding(LikelihoodPredictor):
    def average(self, error, padding_mask):
        return zeroed(error, padding_mask).mean()


@likely("the loss has no gradient", killed_by="parameters-learn")
class LossWithoutGradient(LikelihoodPredictor):
    def average(self, error, padding_mask):
        return super().average(error.detach(), padding_mask)


@mutant("asking for frames turns the predictor to evaluation", killed_by="modes")
class StaysInEvaluation(ConvPredictor):
    def frames(self, hidden, padding_mask):
        self.eval()
        return super().frames(hidden, padding_mask)


@likely("the loss counts padded phonemes", killed_by="more-padding")
class LossOfPadding(LikelihoodPredictor):
    def average(self, error, padding_mask):
        return error.mean()


@likely("the loss of an empty batch is divided by 0", killed_by="empty-row")
class LossOfRows(LikelihoodPredictor):
    def average(self, error, padding_mask):
        return (zeroed(error, padding_mask).sum(1) / (~padding_mask).sum(1)).mean()


@likely("samples come from the global generator", killed_by="repeatable")
class GlobalNoise(LikelihoodPredictor):
    def draw(self, mean, noise):
        return torch.randn_like(mean)


@likely("samples come from one generator for all rows", killed_by="row-alone")
class NoiseOfBatch(LikelihoodPredictor):
    def draw(self, mean, noise):
        generator = torch.Generator().manual_seed(noise.seeds[0])
        return torch.randn(mean.shape, generator=generator, dtype=torch.float64).to(mean.dtype)


@likely("samples depend on how far the row is padded", killed_by="row-alone")
class NoiseOfWidth(LikelihoodPredictor):
    def draw(self, mean, noise):
        return super().draw(mean, noise).flip(1)


@mutant("training returns the bare prediction", killed_by="shapes")
class ReturnsTensor(ConvPredictor):
    def forward(self, hidden, padding_mask, durations=None):
        return super().forward(hidden, padding_mask, durations).duration_pred

    def frames(self, hidden, padding_mask):
        predicted = super().forward(hidden, padding_mask).duration_pred
        assert predicted is not None
        return zeroed(self.counted(predicted), padding_mask)
