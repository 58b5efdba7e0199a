"""A settings class in a module that imports torch."""

from __future__ import annotations

import torch

from tests.kokoro_core.testing.mutants.params import ConvPredictorParams

DTYPE = torch.float32


class ImportsTorch(ConvPredictorParams):
    """Needs torch to be read."""
