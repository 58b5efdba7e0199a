"""What the tests of the plugin share: its packages if they are there, and one small corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokoro_plugins.hibari.frontend import HibariFrontend
from kokoro_plugins.hibari.making import make_corpus
from kokoro_plugins.hibari.package import make_g2p, package_version
from kokoro_plugins.hibari.recipe import Recipe
from kokoro_plugins.hibari.voice import HibariVoice


@pytest.fixture(scope="session")
def frontend() -> HibariFrontend:
    pytest.importorskip("hibari")
    return HibariFrontend(g2p=make_g2p())


@pytest.fixture(scope="session")
def voice() -> HibariVoice:
    pytest.importorskip("hibari")
    pytest.importorskip("onnx")
    return HibariVoice()


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    pytest.importorskip("hibari")
    return Recipe(sentences=5, held_out=2, seed=3, part="training", hibari_tts=package_version())


@pytest.fixture(scope="session")
def made_folder(
    tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, voice: HibariVoice
) -> Path:
    folder = tmp_path_factory.mktemp("hibari") / "corpus"
    assert make_corpus(folder, recipe)
    return folder
