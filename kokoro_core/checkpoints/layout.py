"""Whether the tensors of a checkpoint are those of a model, told from names, types and shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kokoro_core.contracts.checkpoints import TensorInfo
from kokoro_core.errors import CheckpointError

_SHOWN = 12


class CheckpointMismatch(CheckpointError):
    """A checkpoint is not one of a model.

    Attributes:
        differences: A line for each tensor that differs, which starts with its name.
    """

    def __init__(self, subject: str, differences: list[str], *, advice: str | None = None) -> None:
        self.differences = tuple(differences)
        more = len(differences) - _SHOWN
        shown = [*differences[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        listed = f"{subject}: {'; '.join(shown)}."
        super().__init__(listed if advice is None else f"{listed} {advice}.")


def differences(
    expected: Mapping[str, TensorInfo],
    found: Mapping[str, TensorInfo],
    *,
    of: str = "the model",
) -> list[str]:
    """Return what keeps stored tensors from being those of a model, a line each.

    A model may be stored in another floating type than it is built in, all of it in the same.

    Args:
        expected: The tensors of the model.
        found: Those of the checkpoint.
        of: What expects them, for the lines.
    """
    floating = floating_type(found)
    lines = [f"`{name}` is missing" for name in expected if name not in found]
    lines += [f"`{name}` is not in {of}" for name in found if name not in expected]
    for name, each in expected.items():
        if name not in found:
            continue
        if found[name].shape != each.shape:
            lines.append(f"`{name}` is {found[name].shape}, not {each.shape}")
        elif (why := wrong_type(each, found[name], floating)) is not None:
            lines.append(f"`{name}` {why}")
    return lines


def wrong_type(expected: TensorInfo, found: TensorInfo, floating: str | None) -> str | None:
    """Return why a stored tensor's type does not fit, or None.

    Args:
        expected: The tensor in the model.
        found: The stored one.
        floating: The type of most floating tensors of the checkpoint.
    """
    if not (is_floating(expected.dtype) and is_floating(found.dtype)):
        return None if expected.dtype == found.dtype else f"is {found.dtype}, not {expected.dtype}"
    if found.dtype == floating:
        return None
    return f"is {found.dtype} and others are {floating}; a model has one floating type"


def floating_type(layout: Mapping[str, TensorInfo]) -> str | None:
    """Return the floating type that most tensors have, or None if none is floating."""
    counts = Counter(each.dtype for each in layout.values() if is_floating(each.dtype))
    return counts.most_common(1)[0][0] if counts else None


def is_floating(dtype: str) -> bool:
    """Return whether a type, by torch's name, is a floating one."""
    return dtype.startswith(("float", "bfloat"))
