"""A corpus that is built for a spec, as the commands build it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kokoro_core import ModelSpec
from kokoro_core.contracts.speech import Corpus
from kokoro_core.slots import CORPUS
from registry import installed_plugins


def corpus_of(spec: ModelSpec, kind: str, path: Path, **settings: Any) -> Corpus:
    """Return the corpus of a registered kind in a folder, with the spec's audio and frontend."""
    assert spec.audio is not None
    assert spec.frontend is not None
    params = installed_plugins().components.get(CORPUS, kind)
    chosen = params.model_validate({"path": str(path), **settings})
    return chosen.build(audio=spec.audio, frontend=spec.frontend.build(spec.sizes))
