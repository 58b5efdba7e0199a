"""The settings of the corpus; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import CorpusParams
from kokoro_core.spec.rules.waves import WAVE
from kokoro_plugins.shards.header import INDEX, Header, read_header

if TYPE_CHECKING:
    from kokoro_core.contracts import Corpus, Frontend


class ShardCorpusParams(CorpusParams):
    """Tar files with an index, of which nothing is read before it is needed; docs/shards.md.

    Attributes:
        path: The folder.
        order: How training mixes the utterances: ``global``, all with all, so that reading jumps
            among the files; ``files``, those of `files_at_once` files, which suits disks and
            networks that are slow at that.
        files_at_once: See `order`.
    """

    type: Literal["shards"] = "shards"
    path: str = Field(min_length=1)
    order: Literal["global", "files"] = "global"
    files_at_once: int = Field(default=8, ge=1)

    @cached_property
    def _header(self) -> Header | None:
        try:
            return read_header(Path(self.path) / INDEX)[0]
        except CorpusError:  # is said as the corpus is opened
            return None

    @property
    def has_durations(self) -> bool:
        """Whether all utterances have durations."""
        return self._header is None or self._header.aligned == self._header.utterances

    @property
    def gives_features(self) -> frozenset[str]:
        """What was written beside phonemes and mels."""
        if self._header is None:
            return frozenset()
        wave = {WAVE} if self._header.keeps_recordings else set()
        return frozenset({*self._header.features, *self._header.names, *wave})

    @property
    def gives_names(self) -> Mapping[str, frozenset[str]]:
        """The names that the index lists."""
        names = {} if self._header is None else self._header.names
        return {feature: frozenset(each) for feature, each in names.items()}

    def build(self, *, audio: AudioSettings, frontend: Frontend) -> Corpus:
        """Return the corpus.

        Raises:
            CorpusError: The index or a file is missing or damaged, or was made for other settings
                of audio or other symbols.
        """
        from kokoro_plugins.shards.corpus import ShardCorpus

        return ShardCorpus(
            path=Path(self.path),
            audio=audio,
            symbols=frontend.symbols,
            files_at_once=self.files_at_once if self.order == "files" else None,
        )

    def write(
        self,
        corpus: Corpus,
        *,
        audio: AudioSettings,
        frontend: Frontend,
        features: Iterable[str] = (),
        made_of: str = "",
        workers: int = 0,
    ) -> bool:
        """Write the utterances of another corpus into the folder, with their mels.

        Recordings are written too if the samples are among the features.

        Raises:
            CorpusError: An utterance does not fit, or the folder holds something else.
        """
        from kokoro_plugins.shards.writing import WriteSettings, write_shards

        wanted = frozenset(features)
        settings = WriteSettings(
            audio=audio,
            symbols=frontend.symbols,
            features=tuple(sorted(wanted - {WAVE})),
            keeps_recordings=WAVE in wanted,
            made_of=made_of,
        )
        return write_shards(corpus, Path(self.path), settings, workers=workers, anew=True)
