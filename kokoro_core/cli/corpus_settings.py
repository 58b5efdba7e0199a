"""The option `--corpus-set` of commands that read a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from kokoro_core.spec.text.parse import parse

CorpusSetOption = Annotated[
    list[str] | None,
    typer.Option("--corpus-set", metavar="NAME=VALUE", help="Override a setting of the corpus."),
]
"""``--corpus-set`` with its help."""


def read_corpus_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Return the settings of a corpus that options of the form ``NAME=VALUE`` give.

    Raises:
        ValueError: One has no ``=``, names a setting inside another, or is given by `--data` or
            `--corpus`.
    """
    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        document = parse(text, f"--corpus-set {setting}")
        if not equals or not name.isidentifier() or document.problems:
            raise ValueError(
                f"`--corpus-set {setting}` must be NAME=VALUE, for example `cache_mib=2048`."
            )
        if name in ("path", "type"):
            option = {"path": "--data", "type": "--corpus"}[name]
            raise ValueError(f"`--corpus-set {setting}` is what `{option}` says; use that.")
        given[name] = document.value
    return given
