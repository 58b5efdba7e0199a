"""`write_shards`: from any corpus to tar files with an index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kokoro_core.contracts import Corpus
from kokoro_core.durable import atomic_file, canonical_json
from kokoro_core.durable.disk import make_folders, open_folder
from kokoro_core.durable.lock import LOCK_NAME, WriterLock
from kokoro_core.errors import CheckpointError, CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.shards.header import (
    FORMAT,
    INDEX,
    PARTS,
    Header,
    part_of,
    read_header,
    shard_name,
)
from kokoro_plugins.shards.index_file import open_index, write_index
from kokoro_plugins.shards.joining import join
from kokoro_plugins.shards.packing import Packed, pack_all
from kokoro_plugins.shards.records import Packer, Unfit
from kokoro_plugins.shards.tar_files import TarWriter, file_problems
from kokoro_plugins.shards.totals import Rows, Totals

PER_SHARD = 2000
"""Utterances of a shard: some hundred megabytes, of which a thousand are ten million seconds."""

SHOWN = 20
"""As many problems are listed, and the rest counted."""


@dataclass(frozen=True)
class WriteSettings:
    """What is written of each utterance, and how.

    Attributes:
        audio: The settings of the mels.
        symbols: The symbol of each phoneme index.
        features: Names of what is written beside phonemes, mels and names.
        keeps_mels: Whether mels are; without them they are made of the recordings each time.
        keeps_recordings: Whether the files of the recordings are.
        per_shard: Utterances of a shard.
        holdout: How many utterances are held out by the hash of their names; None: what the corpus
            says, or one in twenty, at most a hundred.
        made_of: Differs if what the corpus was made of does.
    """

    audio: AudioSettings
    symbols: Sequence[str]
    features: Sequence[str] = ()
    keeps_mels: bool = True
    keeps_recordings: bool = False
    per_shard: int = PER_SHARD
    holdout: int | None = None
    made_of: str = ""

    def __post_init__(self) -> None:
        if self.per_shard < 1:
            raise ValueError(f"`per_shard` must be 1 or more, not {self.per_shard}.")
        if not (self.keeps_mels or self.keeps_recordings):
            raise ValueError("`keeps_mels` and `keeps_recordings` must not both be False.")

    def identity(self, corpus: Corpus) -> str:
        """Return what differs if another call would write something else."""
        said = {
            "audio": {**self.audio.model_dump(), "mean": None, "std": None},
            "symbols": list(self.symbols),
            "features": sorted(self.features),
            "keeps": [self.keeps_mels, self.keeps_recordings],
            "per_shard": self.per_shard,
            "holdout": self.holdout,
            "made_of": self.made_of,
            "corpus": [len(corpus), corpus.held_out],
            "format": FORMAT,
        }
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()

    def packer(self) -> Packer:
        """Return what turns utterances into records."""
        return Packer(
            symbols=self.symbols,
            n_mels=self.audio.n_mels,
            features=self.features,
            keeps_mels=self.keeps_mels,
            keeps_recordings=self.keeps_recordings,
        )


Watch = Callable[[Iterator[Packed], int], Iterator[Packed]]
"""Is given what is packed and how much will come, and yields it."""


def write_shards(
    corpus: Corpus,
    out: Path,
    settings: WriteSettings,
    *,
    workers: int = 0,
    anew: bool = False,
    watch: Watch = lambda packed, total: packed,
) -> bool:
    """Write a corpus as tar files with an index.

    Which shard an utterance comes into is drawn, the same each time, so that a few shards are a
    fair part of the corpus; the index keeps the order of the corpus. The same call goes on after
    the last shard that was written whole.

    Args:
        corpus: At least one utterance.
        out: The folder to make, or to go on with.
        settings: What is written.
        workers: Processes that read the corpus ahead; 0: this one.
        anew: Write anew what was written of something else; if not, that is an error.
        watch: Shows how far it is.

    Returns:
        Whether anything was written; what is there already stays.

    Raises:
        CorpusError: Utterances do not fit, the folder holds something else, or another process
            writes to it.
        ValueError: Too much would be held out.
    """
    identity = settings.identity(corpus)
    with _one_writer(out):
        if _is_whole(out, identity):
            return False
        _begin(out, identity, anew)
        rows = shards_of(len(corpus), settings.per_shard)
        todo = [number for number in range(len(rows)) if not _is_there(out, number, identity)]
        packed = pack_all(
            corpus, settings.packer(), [int(row) for each in todo for row in rows[each]], workers
        )
        total = sum(len(rows[each]) for each in todo)
        packed = watch(packed, total)
        for number in todo:
            _write_shard(out, number, islice(packed, len(rows[number])), settings, identity)
        write_index(out / INDEX, *join(out, rows, corpus.held_out, settings.holdout))
    return True


def shards_of(utterances: int, per_shard: int) -> list[NDArray[np.int64]]:
    """Return the rows of each shard; they depend on the two numbers alone.

    `RandomState` is NumPy's generator whose numbers are promised never to change.
    """
    drawn = np.random.RandomState(0).permutation(utterances)
    return [drawn[first : first + per_shard] for first in range(0, utterances, per_shard)]


@contextmanager
def _one_writer(out: Path) -> Iterator[None]:
    """Be the one that writes to a folder.

    Raises:
        CorpusError: Another process is, or the folder holds something else.
    """
    if out.exists() and not (out.is_dir() and _is_ours(out)):
        raise CorpusError(
            f"`{out}` is not empty and holds no shards; give another folder, or delete this one."
        )
    make_folders(out / PARTS)
    try:
        with open_folder(out) as folder, WriterLock(out).held(folder):
            yield
    except CheckpointError as error:
        raise CorpusError(str(error)) from error


def _is_ours(out: Path) -> bool:
    """Return whether a folder is empty or was begun here, so that files of it may be replaced."""
    names = {each.name for each in out.iterdir()}
    return not names or (PARTS in names and bool(names & {LOCK_NAME, INDEX}))


def _is_whole(out: Path, identity: str) -> bool:
    try:
        header, _ = read_header(out / INDEX)
    except CorpusError:
        return False
    return header.identity == identity and not file_problems(out, header.shards)


def _is_there(out: Path, number: int, identity: str) -> bool:
    """Return whether a shard was written whole by the same call."""
    try:
        header = open_index(part_of(out, number)).header
    except CorpusError:
        return False
    return header.identity == identity and not file_problems(out, header.shards)


def _begin(out: Path, identity: str, anew: bool) -> None:
    """Take away what would make the folder look whole, and all that was made of something else.

    Raises:
        CorpusError: There is something else, and it is not to be written anew.
    """
    others = [each for each in sorted((out / PARTS).iterdir()) if _is_of_another(each, identity)]
    if others and not anew:
        raise CorpusError(
            f"`{out}` holds shards of other data or of other settings; give another folder, or let "
            f"them be written anew with `--anew`."
        )
    (out / INDEX).unlink(missing_ok=True)
    for part in others:
        part.unlink()
    for tar in out.glob("shard-*.tar"):
        if not (out / PARTS / f"{tar.stem}.safetensors").exists():
            tar.unlink()


def _is_of_another(part: Path, identity: str) -> bool:
    if part.suffix != ".safetensors":
        return False
    try:
        return read_header(part)[0].identity != identity
    except CorpusError:
        return True


def _write_shard(
    out: Path, number: int, packed: Iterator[Packed], settings: WriteSettings, identity: str
) -> None:
    """Write a shard, and then the index that says that it is whole.

    Raises:
        CorpusError: Utterances do not fit; nothing of the shard is left.
    """
    name = f"{shard_name(number)}.tar"
    rows, totals, problems = Rows(), Totals(), list[str]()
    with atomic_file(out / name) as new, new.open("wb") as file:
        tar = TarWriter(file)
        count = 0
        for each in packed:
            count += 1
            if isinstance(each, str):
                problems.append(each)
                continue
            try:
                totals.add(each)
            except Unfit as unfit:
                problems.append(f"`{each.name}` {unfit}")
            rows.add(each, *tar.add(each.content))
        refuse(problems)
        made = tar.end(name, count)
    header = Header(
        format=FORMAT,
        identity=identity,
        data_sha256="",
        audio=settings.audio,
        keeps_mels=settings.keeps_mels,
        keeps_recordings=settings.keeps_recordings,
        shards=(made,),
        held_out=None,
        **totals.said(),
    )
    write_index(part_of(out, number), header, rows.columns(number))


def refuse(problems: Sequence[str]) -> None:
    """Refuse utterances that do not fit.

    Raises:
        CorpusError: There are some; the first are listed and all are counted.
    """
    if problems:
        more = [f"and {len(problems) - SHOWN} problems more."] if len(problems) > SHOWN else []
        raise CorpusError("\n".join([*problems[:SHOWN], *more]))
