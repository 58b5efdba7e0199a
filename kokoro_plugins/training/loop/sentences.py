"""What Lightning, torch and worker processes raise for what a user can mend, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

WORKER_TRACEBACK = "Original Traceback"
"""What torch puts into the message of an error that a worker process raised."""


@contextmanager
def as_sentences() -> Iterator[None]:
    """Raise as `ValueError` what options, data or the machine are the cause of.

    Raises:
        ValueError: Lightning refuses the options, memory is used up, or a worker process failed.
    """
    try:
        yield
    except MisconfigurationException as error:
        said = " ".join(str(error).split())
        raise ValueError(f"Lightning refuses these options on this machine: {said}") from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ValueError(_memory(error)) from error
    except ValueError as error:
        if WORKER_TRACEBACK not in str(error):
            raise
        raise ValueError(last_words(str(error))) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error):
            raise ValueError(_memory(error)) from error
        if not str(error).startswith("DataLoader worker"):
            raise
        raise ValueError(
            f"A process that makes batches ended: {str(error).splitlines()[0]} With `--workers 0` "
            f"batches are made in the process that trains."
        ) from error


def _memory(error: BaseException) -> str:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"The memory of the device is used up: {said} A smaller `--batch-frames` with a larger "
        f"`--accumulate` needs less for the same step, and `gradient_checkpointing` in the spec "
        f"less for the same batch."
    )


def last_words(message: str) -> str:
    """Return what an error in a worker process said, without the traceback before it."""
    lines = message.splitlines()
    starts = [n for n, line in enumerate(lines) if line[:1].strip() and ": " in line]
    return "\n".join(lines[starts[-1] :]).partition(": ")[2] if starts else message
