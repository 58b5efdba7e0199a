"""The checkpointer: tensors and one metadata key in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from kokoro_core.outer_contracts import Checkpointer, CheckpointError
from kokoro_plugins.safetensors.atomic import replaced_whole
from kokoro_plugins.safetensors.header import METADATA_KEY, canonical_json, read_metadata
from kokoro_plugins.safetensors.storable import storable


@final
class SafetensorsCheckpointer(Checkpointer):
    """Writes one safetensors file, whole or not at all; equal content gives equal bytes.

    The metadata is canonical JSON under one key, since the format keeps several in no fixed order.
    """

    def save(self, path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
        """Write the file; one that is there already is replaced at the very end.

        Raises:
            CheckpointError: A tensor or the metadata cannot be stored exactly, or the file cannot
                be written; the path then holds the old file or the new one, whole.
        """
        header = {METADATA_KEY: canonical_json(metadata)}
        ready = storable(tensors)
        try:
            with replaced_whole(Path(path)) as temporary:
                save_file(ready, temporary, header)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"`{path}` could not be written: {error}; "
                "the old file or the new one is there, whole."
            ) from error

    def read_metadata(self, path: Path) -> dict[str, Any]:
        """Return the metadata; only the header of the file is read.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """
        return read_metadata(Path(path))

    def load(self, path: Path, device: str = "cpu") -> dict[str, Tensor]:
        """Return the tensors, each in memory of its own.

        safetensors maps the file into memory, so that its tensors would change (or the process die)
        when another program overwrites the file in place; on the CPU they are therefore copied.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """
        torch.device(device)  # a name that is no device is not the file's fault
        read_metadata(Path(path))
        mapped = load_file(path, device)
        return {name: each.clone() if each.is_cpu else each for name, each in mapped.items()}
