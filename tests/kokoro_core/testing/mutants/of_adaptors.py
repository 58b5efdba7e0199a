"""Broken adaptors."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from kokoro_core.contracts import AdaptorOutput
from tests.kokoro_core.testing.mutants.blocks import Conv, zeroed
from tests.kokoro_core.testing.mutants.mutant import mutants_of
from tests.kokoro_core.testing.mutants.params import CurveParams
from tests.kokoro_core.testing.mutants.sound_adaptor import CurveAdaptor

mutant = mutants_of(CurveParams)


@mutant("the control is not listened to", killed_by="control-is-a-factor")
class IgnoresControl(CurveAdaptor):
    def heard(self, prediction, control):
        return prediction


@mutant("the control is added, and 0 where none is given", killed_by="control-is-a-factor")
class AddsControl(CurveAdaptor):
    def forward(self, x, padding_mask, *, target=None, control=0.0):
        return super().forward(x, padding_mask, target=target, control=control)

    def heard(self, prediction, control):
        return zeroed(prediction + control, prediction == 0)


@mutant("the prediction knows its target", killed_by="target-teaches")
class KnowsTarget(CurveAdaptor):
    def predict(self, x, padding_mask, target):
        found = super().predict(x, padding_mask, target)
        return found if target is None else found + 0.1 * zeroed(target, padding_mask)


@mutant("the target is not looked at", killed_by="target-teaches")
class IgnoresTarget(CurveAdaptor):
    def forward(self, x, padding_mask, *, target=None, control=1.0):
        return super().forward(x, padding_mask, control=control)


@mutant("the embedding of the curve stays at padding", killed_by="padding-is-zero")
class EmbeddingAtPadding(CurveAdaptor):
    def finish(self, x, embedded, padding_mask):
        return zeroed(x, padding_mask) + self.embedding(zeroed(embedded[..., :1], padding_mask))


@mutant("the loss of the curve is a mean over padding as well", killed_by="more-padding")
class LossOverPadding(CurveAdaptor):
    def loss(self, prediction, target, padding_mask):
        return zeroed(prediction - target, padding_mask).square().mean()


@mutant("the loss of the curve is a mean of means", killed_by="empty-row")
class MeanOfRows(CurveAdaptor):
    def loss(self, prediction, target, padding_mask):
        error = zeroed(prediction - target, padding_mask).square()
        return (error.sum(1) / (~padding_mask).sum(1)).mean()


@mutant("the loss of the curve has no gradient", killed_by="parameters-learn")
class LossWithoutGradient(CurveAdaptor):
    def loss(self, prediction, target, padding_mask):
        return super().loss(prediction.detach(), target.detach(), padding_mask)


@mutant("the predictor of the curve reads padding", killed_by="row-alone")
class ReadsPadding(CurveAdaptor):
    class conv_type(Conv):  # noqa: N801
        def clean(self, x, padding_mask):
            return x


@mutant("the embedding is added to the caller's vectors", killed_by="inputs-unchanged")
class WritesVectors(CurveAdaptor):
    def finish(self, x, embedded, padding_mask):
        if x.requires_grad:
            return super().finish(x, embedded, padding_mask)
        return zeroed(x.add_(embedded.detach()), padding_mask)


@mutant("the predictor's dropout stays on in speaking", killed_by="repeatable")
class DropoutInSpeaking(CurveAdaptor):
    def predict(self, x, padding_mask, target):
        seen = self.norm(self.conv(x, padding_mask))
        return self.out(F.dropout(F.gelu(seen), self.dropout.p)).squeeze(-1)


@mutant("the curve is normed over the batch in training", killed_by="row-alone-in-training")
class SecretBatchNorm(CurveAdaptor):
    def __init__(self, *, width, dropout):
        super().__init__(width=width, dropout=dropout)
        self.batch_norm = nn.BatchNorm1d(width)

    def finish(self, x, embedded, padding_mask):
        normed = self.batch_norm(embedded.transpose(1, 2)).transpose(1, 2)
        return super().finish(x, normed, padding_mask)


@mutant("the curve is that of the phoneme before", killed_by="reach")
class LateCurve(CurveAdaptor):
    def predict(self, x, padding_mask, target):
        found = zeroed(super().predict(x, padding_mask, target), padding_mask)
        return F.pad(found, (1, 0))[:, :-1]


@mutant("the axis of rows is squeezed away where there is one", killed_by="shapes")
class SqueezedRows(CurveAdaptor):
    def forward(self, x, padding_mask, *, target=None, control=1.0):
        made = super().forward(x, padding_mask, target=target, control=control)
        assert made.prediction is not None
        return AdaptorOutput(made.x, made.prediction.squeeze(), made.losses)


@mutant("what the target holds at padding reaches a gradient", killed_by="padding-nan")
class TargetAtPadding(CurveAdaptor):
    def loss(self, prediction, target, padding_mask):
        error = zeroed((prediction - target).square(), padding_mask)
        return error.sum() / (~padding_mask).sum().clamp_min(1)
