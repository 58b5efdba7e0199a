"""Where the sentences of an English text end; what is too long is cut at marks or blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from kokoro_core.speaking.parts import masked, parts_of, with_words
from kokoro_plugins.hibari import package

LONGEST = 140
"""Characters that are spoken at once: as many as the recordings of the corpus have at most."""

_BEFORE_NUMBERS = (
    "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thu|Thurs|Fri|Sat|Sun|"
    "[Nn]os?|[Pp]p?|[Vv]ols?|[Ff]igs?|[Cc]h|[Ss]ec|[Aa]rt|[Ee]q|[Rr]ef|[Pp]ar|[Vv]er|"
    "[Tt]el|[Ee]xt|Rs|Apt|Ste|Rm|[Aa]pprox|[Cc]a?|[Ee]st|[Mm]ax|[Mm]in|[Aa]vg"
)
"""What is abbreviated where a number follows; before a word its full stop may be one."""

_ALWAYS = r"vs|[Ii]\.\s?e|[Ee]\.\s?g|[Cc]f|[Vv]iz"
"""What never ends a sentence."""

_NO_END = re.compile(rf"(?<![\w.])(?:(?:{_BEFORE_NUMBERS})\.(?=\s+[+#(]?\d)|(?:{_ALWAYS})\.(?=\s))")


_MAY_GO_ON = re.compile(r"[.!?…]\S*\s|\n")
"""Without it a text is one sentence, and the package, slow to import, need not be asked."""


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text with the blanks between; together they are the text."""
    plain = _NO_END.sub(lambda found: "x" * len(found.group()), masked(text))
    ends = [*_starts(plain), len(text)]
    ends[0] = 0
    whole = [text[start:end] for start, end in pairwise(ends)]
    return [part for each in with_words(whole) for part in parts_of(each, LONGEST)]


def _starts(text: str) -> Iterator[int]:
    """Yield where each sentence begins."""
    place = 0
    # The package ends a sentence at each line; lines of a paragraph may break anywhere.
    flat = re.sub(r"(?<!\n)\n(?!\s*\n)", " ", text)
    if not _MAY_GO_ON.search(flat.rstrip()):
        yield place
        return
    for sentence in package.split_sentences(flat) or [flat]:
        place = flat.index(sentence, place)
        yield place
        place += len(sentence)
