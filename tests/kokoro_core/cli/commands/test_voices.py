"""The command ``voices``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kokoro_core.cli import session
from kokoro_core.cli.app import main
from registry import Voice, installed_plugins

CARD = "# Alto\n\nSings low.\n\nLicence: CC0.\n"


@pytest.fixture
def voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Voice:
    (tmp_path / "alto.safetensors").write_bytes(b"x" * 1_500_000)
    (tmp_path / "card.md").write_text(CARD, encoding="utf-8")
    found = Voice("alto", tmp_path / "alto.safetensors", tmp_path / "card.md", "acme")
    plugins = replace(installed_plugins(), voices={"alto": found})
    monkeypatch.setattr(session, "installed_plugins", lambda: plugins)
    return found


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["voices", *arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.mark.usefixtures("voice")
def test_voices_are_listed_with_their_size_and_what_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys)
    [line] = [each for each in out.splitlines() if "alto" in each]
    assert status == 0
    assert line.split() == ["alto", "1.5", "acme", "Sings", "low."]
    [listed] = json.loads(run(capsys, "--json")[1])
    assert listed == {"name": "alto", "plugin": "acme", "bytes": 1_500_000, "what": "Sings low."}


@pytest.mark.usefixtures("voice")
def test_the_card_of_a_voice_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "alto") == (0, CARD, "")
    assert json.loads(run(capsys, "acme/alto", "--json")[1])["card"] == CARD


@pytest.mark.usefixtures("voice")
def test_a_voice_that_nobody_has_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, _, err = run(capsys, "alt")
    assert status == 1
    assert "`alt` is not a voice, did you mean `alto`" in " ".join(err.split())
