"""What the tests of the speech plugin share: voices, and one small corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_corpus import Recipe, make_corpus
from kokoro_plugins.speech.frontend import EspeakFrontend


@pytest.fixture(scope="session")
def espeak() -> Espeak:
    return Espeak("en-us")


@pytest.fixture(scope="session")
def frontend(espeak: Espeak) -> EspeakFrontend:
    return EspeakFrontend(espeak=espeak)


@pytest.fixture(scope="session")
def audio() -> AudioSettings:
    return AudioSettings()


@pytest.fixture(scope="session")
def recipe(audio: AudioSettings) -> Recipe:
    return Recipe.of(audio=audio, sentences=315, seed=0, voice="en-us")


@pytest.fixture(scope="session")
def made_folder(
    tmp_path_factory: pytest.TempPathFactory, audio: AudioSettings, recipe: Recipe
) -> Path:
    """The corpus of the demo, whole."""
    folder = tmp_path_factory.mktemp("espeak") / "corpus"
    make_corpus(folder, recipe, audio)
    return folder
