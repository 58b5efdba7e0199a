"""A commit of the repository, extracted beside the source that runs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import kokoro_core

SOURCE = Path(kokoro_core.__file__).parents[1]
"""The folder whose `kokoro_core` this process runs."""


@dataclass(frozen=True)
class Checkout:
    """A source tree that a process can import.

    Attributes:
        name: What messages call it.
        root: The folder with `kokoro_core` in it.
        path: What `sys.path` of the process begins with.
    """

    name: str
    root: Path
    path: tuple[Path, ...]


@contextmanager
def checked_out(commit: str, repository: Path | None) -> Iterator[tuple[Checkout, Checkout]]:
    """Extract a commit to a temporary folder.

    Args:
        commit: Whatever git takes for one.
        repository: The folder of the repository; None: that of the source.

    Yields:
        The source that runs, and the commit.

    Raises:
        ValueError: There is no repository, no such commit, or nothing in it to import.
    """
    repository = _repository(commit, repository)
    resolved = _resolve(commit, repository)
    with TemporaryDirectory(prefix="kokoro-bench-") as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        _extract(resolved, repository, old)
        if not (old / "kokoro_core" / "__init__.py").is_file():
            raise ValueError(
                f"`--against {commit}` must be a commit of Kokoro; that of `{repository}` has no "
                f"package `kokoro_core`."
            )
        yield (
            Checkout("The working tree", SOURCE, (SOURCE, *_with_metadata(SOURCE, new))),
            Checkout(f"The commit `{commit}`", old, (old, *_with_metadata(old, old))),
        )


def _repository(commit: str, folder: Path | None) -> Path:
    if shutil.which("git") is None:
        raise ValueError("`--against` reads a repository with `git`, which is not on the PATH.")
    if folder is None:
        if not (SOURCE / ".git").exists():
            raise ValueError(
                f"`--against {commit}` needs a git repository, and `{SOURCE}` is none; name one "
                f"by `--repository PATH`."
            )
        return SOURCE
    if not folder.is_dir() or _git(folder, "rev-parse", "--git-dir").returncode:
        raise ValueError(f"`--repository {folder}` must be the folder of a git repository.")
    return folder


def _resolve(commit: str, repository: Path) -> str:
    """Return the full hash of a commit."""
    found = _git(
        repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}"
    )
    if found.returncode:
        raise ValueError(
            f"`--against {commit}` must be a commit of the repository `{repository}`, such as "
            f"`HEAD~1`; it has none of this name."
        )
    return found.stdout.decode().strip()


def _extract(commit: str, repository: Path, folder: Path) -> None:
    archive = _git(repository, "archive", "--format=zip", commit)
    if archive.returncode:
        said = archive.stderr.decode(errors="replace").strip()
        raise ValueError(f"`git archive {commit}` failed in `{repository}`: {said}")
    with ZipFile(io.BytesIO(archive.stdout)) as found:
        found.extractall(folder)


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git on this repository and on no other that the environment names, as in a hook."""
    environment = {name: each for name, each in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=environment)


def _with_metadata(source: Path, folder: Path) -> list[Path]:
    """Write a distribution's metadata, so that the source's own plugins are found.

    The entry points of the environment are those of whatever was installed there last. The first
    distribution of a name on `sys.path` hides all others.
    """
    file = source / "pyproject.toml"
    if not file.is_file():  # not a checkout but an installed distribution, which has its own
        return []
    project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    name, version = project.get("name", "kokoro-core"), project.get("version", "0")
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(head, encoding="utf-8")
    groups: Mapping[str, Mapping[str, str]] = project.get("entry-points", {})
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{each} = {target}" for each, target in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [folder]
