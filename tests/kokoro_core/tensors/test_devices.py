"""Which devices are here, on machines that this one is not."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.tensors.devices import devices, is_device


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: int, mps: int) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.mps, "device_count", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "here", "missing"),
    [
        (0, 0, ["cpu", "cpu:0"], ["cuda", "cuda:0", "mps", "cpu:1", "meta"]),
        (2, 0, ["cpu", "cuda", "cuda:0", "cuda:1"], ["cuda:2", "mps"]),
        (0, 1, ["cpu", "mps", "mps:0"], ["cuda", "mps:1"]),
    ],
)
def test_a_device_is_here_if_there_are_as_many(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: int, here: list[str], missing: list[str]
) -> None:
    pretend(monkeypatch, cuda=cuda, mps=mps)
    assert [name for name in (*here, *missing) if is_device(name)] == here


@pytest.mark.parametrize("name", ["", "tpu", "cpu:x", "cuda:-1", "cpu:", "CPU"])
def test_what_names_no_device_is_not_here(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend(monkeypatch, cuda=8, mps=8)
    assert not is_device(name)


def test_devices_are_listed_with_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=2, mps=0)
    assert devices() == {"cpu": 1, "cuda": 2}
