"""Safetensors files that other programs wrote: one, or several with an index (no hash in either).

The headers are read as strictly as those of our own files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from kokoro_core.contracts import OpenCheckpoint, TensorInfo
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.index import INDEX_SUFFIX, MAX_INDEX_BYTES
from kokoro_plugins.safetensors.reading import SafetensorsFile, opened
from kokoro_plugins.safetensors.strict_json import parse_strictly

if TYPE_CHECKING:
    from torch import Tensor

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")


@final
class PublishedFiles(OpenCheckpoint):
    """The tensors of several open files."""

    def __init__(self, files: Collection[SafetensorsFile]) -> None:
        self._files = files
        self.metadata = {}
        self.content_hash = None
        self.layout = {name: info for each in files for name, info in each.layout.items()}

    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors; see `OpenCheckpoint.read`."""
        return {
            name: tensor
            for each in self._files
            for name, tensor in each.read(device, names=names, verify=verify).items()
        }

    def verify(self) -> None:
        """Refuse, since the files state no hash.

        Raises:
            CheckpointError: Always.
        """
        raise CheckpointError(
            "A file that another program wrote states no content hash, so nothing can tell whether "
            "it is damaged; `kokoro-core checkpoint import` writes one that does."
        )


@contextmanager
def open_published(path: Path) -> Iterator[OpenCheckpoint]:
    """Open a file or an index that another program wrote; see `Checkpointer.open_published`.

    Raises:
        CheckpointError: It is missing, damaged, or its index and its files disagree.
    """
    with ExitStack() as stack:
        weight_map = _weight_map(path) if path.name.endswith(INDEX_SUFFIX) else None
        names = [path.name] if weight_map is None else sorted({*weight_map.values()})
        files = {
            name: SafetensorsFile(
                path.with_name(name), stack.enter_context(opened(path.with_name(name))), ours=False
            )
            for name in names
        }
        if weight_map is not None:
            _check_agree(path, weight_map, {name: each.layout for name, each in files.items()})
        yield PublishedFiles(files.values())


def _weight_map(path: Path) -> Mapping[str, str]:
    """Return the file of each tensor, from an index."""
    with opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        text = file.read(MAX_INDEX_BYTES + 1)
    try:
        if len(text) > MAX_INDEX_BYTES:
            raise ValueError(f"it has more than {MAX_INDEX_BYTES} bytes")
        values: Any = parse_strictly(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"`{path}` is not an index: {error}.") from error
    found = values.get("weight_map") if isinstance(values, dict) else None
    if not isinstance(found, dict) or not found:
        raise CheckpointError(f"`{path}` has no `weight_map` that says where each tensor is.")
    for name in found.values():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise CheckpointError(
                f"`{path}` lists the file {name!a}; a file of an index lies beside it and ends in "
                f".safetensors."
            )
    return found


def _check_agree(
    path: Path, weight_map: Mapping[str, str], layouts: Mapping[str, Mapping[str, TensorInfo]]
) -> None:
    for file, layout in layouts.items():
        listed = {name for name, at in weight_map.items() if at == file}
        if listed != set(layout):
            odd = sorted(listed ^ set(layout))
            raise CheckpointError(
                f"`{path}` and its file `{file}` do not list the same tensors: {odd[0]!a} is in "
                f"one of them alone; take another copy of both."
            )
