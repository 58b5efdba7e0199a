"""The figures that the tutorial's spec has are those of the tutorial's corpus."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from kokoro_core.cli.app import main
from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import CORPUS
from kokoro_core.spec.load import load_spec
from registry import installed_plugins

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_mean_and_std_of_the_tutorial_s_spec_are_those_of_what_it_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = re.findall(r'```yaml title="(tiny.*?\.yaml)"\n(.*?)```', PAGE, re.S)
    assert len(text) == 2
    with pytest.raises(SystemExit):
        main(["corpus", "speech", "--sentences", "12"])
    for name, spec_text in text:
        Path(name).write_text(spec_text)
        spec = load_spec(name)
        assert isinstance(spec.audio, AudioSettings)
        assert spec.frontend is not None
        folder = installed_plugins().components.get(CORPUS, "folder")(type="folder", path="speech")  # type: ignore[call-arg]
        corpus = folder.build(audio=spec.audio, frontend=spec.frontend.build(spec.sizes))
        mels = torch.cat([corpus[index].mel for index in range(10)]).double()  # two are held out
        assert f"{float(mels.mean()):.2f}" == f"{spec.audio.mean:.2f}"
        assert f"{float(mels.std(correction=0)):.2f}" == f"{spec.audio.std:.2f}"
