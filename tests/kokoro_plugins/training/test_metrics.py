import pytest
import torch

from kokoro_plugins.training.metrics import copy_error, mean_frame_error


def test_copying_is_wrong_by_each_step_from_zero():
    mels = [torch.tensor([[1.0, 2.0], [4.0, 2.0]]), torch.tensor([[-1.0, 0.0]])]
    assert copy_error(mels) == pytest.approx((1 + 2 + 3 + 0 + 1 + 0) / 6)


def test_the_mean_frame_is_wrong_by_each_distance_from_it():
    mels = [torch.tensor([[1.0, 2.0], [4.0, 2.0]]), torch.tensor([[-1.0, 0.0]])]
    mean_frame = torch.tensor([1.0, 1.0])
    assert mean_frame_error(mels, mean_frame) == pytest.approx((0 + 1 + 3 + 1 + 2 + 1) / 6)
