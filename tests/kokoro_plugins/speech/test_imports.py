"""What the speech plugin needs at run time: nothing that is compiled at its first use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_SPEAK = """
import json, sys
import torch
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.params import GriffinLimParams
audio = AudioSettings()
vocoder = GriffinLimParams(iterations=2).build(audio)
wave = vocoder.decode(torch.zeros(1, 9, 80), torch.tensor([9]))
"""
_READ = (
    _SPEAK
    + """
from kokoro_core.nn.mel import MelSpectrogram
import kokoro_plugins.speech.folder, kokoro_plugins.speech.espeak_corpus
MelSpectrogram(audio=audio)(wave)
"""
)
_MEASURE = (
    _SPEAK
    + """
from kokoro_core.measures.mel_distortion import mel_cepstral_distortion, natural_log_mel
mel = natural_log_mel(wave[0].numpy(), audio)
mel_cepstral_distortion(mel, mel)
"""
)
COMPILERS = {"librosa", "numba", "llvmlite", "scipy", "sklearn", "joblib"}


@pytest.mark.parametrize("code", [_SPEAK, _READ, _MEASURE], ids=["speak", "read", "measure"])
def test_speaking_reading_and_measuring_compile_nothing(code: str) -> None:
    code += "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not COMPILERS & set(json.loads(done.stdout))
