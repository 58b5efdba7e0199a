"""Whether an export can be written where it is to be, asked before a minute's work."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

ENDINGS = {"torch": ".pt2", "onnx": ".onnx"}
"""What files end in; an export for sherpa-onnx is a folder."""


def refuse_place(out: Path, to: str) -> None:
    """Refuse a place where the export cannot be written.

    Args:
        out: The file, or of ``sherpa`` the folder.
        to: The runtime.

    Raises:
        ValueError: The runtime is unknown, the file has another ending, a folder is in its place,
            or its folder is not there or takes no files.
    """
    if to not in (*ENDINGS, "sherpa"):
        raise ValueError(f"`to` must be one of torch, onnx and sherpa, not {to!r}.")
    ending = ENDINGS.get(to, "")
    if not out.name.endswith(ending):
        of_torch = ", as files of `torch.export` do" if to == "torch" else ""
        raise ValueError(f"`{out}` must end in `{ending}`{of_torch}.")
    if ending and out.is_dir():
        raise ValueError(f"`{out}` is a folder, and an export for {to} is a file; give it a name.")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"`{out}` cannot be written: there is no folder `{out.parent}`; make it.")
    try:
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"`{out}` cannot be written: the folder `{out.parent}` takes no files "
            f"({error.strerror})."
        ) from error
