"""What of hibari-tts is imported, and when."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kokoro_plugins.hibari import package
from kokoro_plugins.hibari.sentence_ends import sentences_of

TEXT = 'Dr. Smith paid $3.50 on Jan. 5, 2024; "was it fair?" Nobody said.'


def test_reading_imports_neither_the_voice_nor_scipy() -> None:
    code = (
        "import sys\n"
        "from kokoro_plugins.hibari import package\n"
        "from kokoro_plugins.hibari.sentence_ends import sentences_of\n"
        "assert sentences_of('Hello there.') == ['Hello there.']\n"
        "assert package.make_g2p()(package.normalize('Hello there.'))\n"
        "print(sorted({'scipy', 'hibari', 'hibari.tts'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"


def test_it_reads_as_the_whole_package_does() -> None:
    whole = pytest.importorskip("hibari.g2p")
    assert package.normalize(TEXT) == whole.normalize(TEXT)
    assert package.make_g2p()(TEXT) == whole.G2P()(TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "One.",
        "One. Two!",
        "One? two",
        "One.\nTwo.",
        'He said "no." Then he left.',
        "A… B",
        "",
        " a ",
    ],
)
def test_sentences_end_where_the_package_says(text: str) -> None:
    whole = pytest.importorskip("hibari").Hibari.split_sentences
    found = [each for each in sentences_of(text) if each.strip()]
    wanted = whole(text.replace("\n", " "))
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):  # which drops quotation marks at the end
        assert ours.replace("\n", " ").strip().startswith(theirs.strip())
