"""Models where the field keeps them: folders and repositories of the Hugging Face Hub.

It is `huggingface_hub`'s own mixin around our checkpoints; the package comes with the extra
``kokoro-core[hub]`` and is imported with this module, which nothing imports before it is used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, final

from huggingface_hub import ModelHubMixin, constants, snapshot_download

from kokoro_core.checkpoints.locate import MODEL_STEM
from kokoro_core.errors import CheckpointError
from registry.text import closest

MODEL_FILE = f"{MODEL_STEM}.safetensors"
MAX_SHARD_BYTES = 5 * 10**9
"""Larger weights are split, as the Hub asks for."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""The name of a repository: its owner and its own name."""

_FILES = [constants.CONFIG_NAME, f"{MODEL_STEM}.*", f"{MODEL_STEM}-*"]

_CARD = """\
---
{{ card_data }}
---

A text-to-speech acoustic model of the framework Kokoro. The spec of the model is in its weights:

```python
from kokoro_core import KokoroModel

model = KokoroModel.from_pretrained("{{ repo_id | default("this repository") }}")
```
"""


@final
class HubModel(
    ModelHubMixin,
    library_name="kokoro-core",
    pipeline_tag="text-to-speech",
    model_card_template=_CARD,
):
    """A model with the methods of the Hub.

    Args:
        model: The model; only `save` and `load` know what it is.
        save: Writes it to a file.
        resolved: Its resolved spec, for ``config.json``; the mixin would fill a `config` itself.
    """

    def __init__(
        self,
        model: Any,
        *,
        save: Callable[[Path], None] | None = None,
        resolved: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self._save = save
        self._resolved = resolved

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the checkpoint, and its spec once more for readers of ``config.json``."""
        assert self._save is not None
        self._save(save_directory / MODEL_FILE)
        text = json.dumps(self._resolved, indent=2, sort_keys=True) + "\n"
        (save_directory / constants.CONFIG_NAME).write_text(text, encoding="utf-8")

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        load: Callable[[Path], Any] | None = None,
        **unknown: Any,
    ) -> Self:
        """Load a folder, or what the Hub has under a name."""
        if unknown:
            names = ", ".join(f"`{each}`" for each in unknown)
            raise TypeError(f"`from_pretrained` does not know {names}; it takes those of `load`.")
        assert load is not None
        if os.path.isdir(model_id):
            return cls(load(Path(model_id)))
        snapshot = snapshot_download(
            model_id,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            allow_patterns=_FILES,
        )
        with without_links(Path(snapshot)) as folder:
            return cls(load(folder))


def refuse_path(name: str) -> None:
    """Refuse what looks like a path and is no folder, before the Hub is asked for it.

    Raises:
        FileNotFoundError: There is no such folder, and no repository can have that name or is
            likely to: `owner/name` is a path where a folder ``owner`` lies here.
        NotADirectoryError: It is a file.
    """
    if os.path.isdir(name):
        return
    if os.path.isfile(name):
        raise NotADirectoryError(f"`{name}` is a file; `KokoroModel.load` takes it.")
    folder = os.path.dirname(name)
    if _REPOSITORY.fullmatch(name) is None or os.path.isdir(folder):
        near = closest(os.path.basename(name), _folders_in(folder or os.curdir))
        meant = f"; did you mean `{os.path.join(folder, near)}`?" if near else "."
        raise FileNotFoundError(
            f"There is no folder `{name}`, and a repository of the Hub is called `owner/name`"
            f"{meant}"
        )


def refuse_no_folder(path: Path) -> None:
    """Refuse a path that cannot become a folder, before anything is written.

    Raises:
        CheckpointError: A file, or a link that leads nowhere, lies there or on the way.
    """
    for each in (path, *path.parents):
        if os.path.lexists(each) and not each.is_dir():
            what = "is a file" if each.exists() else "is a link that leads nowhere"
            raise CheckpointError(f"`{path}` cannot be a folder: `{each}` {what}.")


def _folders_in(folder: str) -> list[str]:
    try:
        return [each.name for each in os.scandir(folder) if each.is_dir()]
    except OSError:
        return []


@contextmanager
def without_links(snapshot: Path) -> Iterator[Path]:
    """Give a folder of plain files for one of the Hub's cache, which holds links.

    A checkpoint is never read through a link. Those in the cache are the library's own, so the
    files that they lead to are taken: by another name of the same file, or where the file system
    has no such thing, by a copy.
    """
    with TemporaryDirectory(prefix="kokoro-", dir=_writable(snapshot.parent)) as folder:
        for file in snapshot.iterdir():
            if file.is_file():
                _link(file.resolve(), Path(folder, file.name))
        yield Path(folder)


def _writable(folder: Path) -> Path | None:
    """Return a folder if it can be written to; None: the system's own for temporaries."""
    return folder if os.access(folder, os.W_OK) else None


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
