"""The folder of a published checkpoint: settings, symbols and where the weights are. No torch."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from kokoro_core.contracts.importing import Published
from kokoro_core.contracts.published import PublishedSettings
from kokoro_core.durable.disk import open_folder, open_regular
from kokoro_core.errors import CheckpointError

CONFIG, VOCABULARY, TOKENIZER = "config.json", "vocab.json", "tokenizer_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
MAX_BYTES = 16 * 2**20
"""Of a file with settings or symbols."""

_PICKLES = (".bin", ".ckpt", ".h5", ".msgpack", ".pkl", ".pt", ".pth")


def read_published(folder: Path) -> Published:
    """Return what a folder says beside its tensors.

    Raises:
        CheckpointError: It is no folder, has no ``config.json``, or a file in it is damaged.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise CheckpointError(
            f"`{folder}` {what}; a published checkpoint is a folder with `{CONFIG}` and "
            f"`{WEIGHTS[0]}`."
        )
    if not os.path.lexists(folder / CONFIG):
        raise CheckpointError(
            f"`{folder}` has no `{CONFIG}`, which says what the weights are; it is written by "
            f"`save_pretrained`."
        )
    return Published(
        config=PublishedSettings(_read_object(folder / CONFIG)),
        symbols=_read_symbols(folder / VOCABULARY),
        tokenizer=PublishedSettings(_read_object(folder / TOKENIZER, default={})),
    )


def model_type_of(folder: Path) -> object:
    """Return the ``model_type`` that ``config.json`` states, whatever it is."""
    return _read_object(folder / CONFIG).get("model_type")


def weights_in(folder: Path) -> Path:
    """Return the file with the weights, or the index of several.

    Raises:
        CheckpointError: There is none, there are two, or it could run code.
    """
    found = [folder / each for each in WEIGHTS if os.path.lexists(folder / each)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CheckpointError(
            f"`{folder}` has `{WEIGHTS[0]}` and `{WEIGHTS[1]}`, and each may be the newer; remove "
            f"one of them."
        )
    unsafe = sorted(each.name for each in folder.iterdir() if each.name.endswith(_PICKLES))
    if unsafe:
        raise CheckpointError(
            f"`{folder / unsafe[0]}` is not read: a file of its kind can run code when it is "
            f"opened, or states no shapes; only `{WEIGHTS[0]}` is read, which "
            f"`save_pretrained` writes."
        )
    raise CheckpointError(f"`{folder}` has no `{WEIGHTS[0]}` and no `{WEIGHTS[1]}`.")


def _read_symbols(path: Path) -> tuple[str, ...] | None:
    """Return the symbol of each index, or None without the file.

    Raises:
        CheckpointError: The indices are not 0 to one less than there are symbols.
    """
    if not os.path.lexists(path):
        return None
    indices = _read_object(path)
    for symbol, index in indices.items():
        if type(index) is not int:
            raise CheckpointError(
                f"`{path}` must have an index for each symbol, not {index!r} for {symbol!r}."
            )
    by_index = {index: symbol for symbol, index in indices.items()}
    if sorted(indices.values()) != list(range(len(indices))):
        missing = next(each for each in range(len(indices)) if each not in by_index)
        raise CheckpointError(
            f"`{path}` must give its {len(indices)} symbols the indices 0 to {len(indices) - 1}, "
            f"each once; none has {missing}."
        )
    return tuple(by_index[index] for index in range(len(indices)))


def _read_object(path: Path, default: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a JSON object, read strictly: no key twice, no NaN.

    Raises:
        CheckpointError: The file is no regular file or not such an object.
    """
    if default is not None and not os.path.lexists(path):
        return default
    try:
        with open_folder(path.parent) as folder, open_regular(path.name, folder) as descriptor:
            text = os.read(descriptor, MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        values = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
        )
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"`{path}` could not be read as JSON: {error}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"`{path}` must hold a JSON object, not {type(values).__name__}.")
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key!r} stands in it twice")
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
