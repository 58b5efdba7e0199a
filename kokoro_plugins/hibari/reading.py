"""A text as hibari-tts reads it: words with their phonemes, and where in the text each begins."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from kokoro_core.errors import FrontendError
from kokoro_plugins.hibari import package, signs
from kokoro_plugins.hibari.symbols import BREAK, MARKS, SILENT, SOUNDS

_GIVEN = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_WRITTEN = re.compile(r"(?:\[\[.*?\]\]|\S)+", re.DOTALL)
_QUOTES = frozenset("\"“”'‘’`«»")
_LINK = re.compile(r"\[[^\]]+\]\([^)]*\)")


@dataclass(frozen=True)
class ReadWord:
    """What stands between two blanks of a text in words.

    Attributes:
        place: Where in the given text, in composed form, its word begins.
        phonemes: A character each, marks among them; maybe none.
    """

    place: int
    phonemes: str


@dataclass(frozen=True)
class Reader:
    """Reads texts by hibari-tts's rules.

    Attributes:
        g2p: As `kokoro_plugins.hibari.package.make_g2p` gives it.
        normalize: Writes in words what is to be read otherwise than hibari-tts does.
        lexicon: Words and their phonemes, which win; without capitals a word stands for both.
    """

    g2p: Any
    normalize: Callable[[str], str]
    lexicon: Mapping[str, str]

    def words(self, text: str) -> list[ReadWord]:
        """Return the words of a text.

        Raises:
            FrontendError: It has something that is not read, or phonemes without a symbol.
        """
        plain = unicodedata.normalize("NFC", text)
        given: dict[str, str] = {}
        written = self.normalize(self._with_stand_ins(plain, given))
        check_characters(written, self.g2p)
        spoken = package.normalize(written)
        refuse(signs.unread(_LINK.sub("", spoken)))
        linked = _linked(spoken, given)
        tokens = self.g2p.phonemize_tokens(self.g2p.tokenize(linked))
        check_money(tokens)
        words = zip(places_of(plain, linked), _words(tokens), strict=True)
        return [ReadWord(place, phonemes) for place, phonemes in words]

    def _with_stand_ins(self, text: str, given: dict[str, str]) -> str:
        """Return a text with a word that nobody writes for each that has phonemes of its own."""

        def stand_in(phonemes: str) -> str:
            name = f"zzq{''.join(chr(97 + int(digit)) for digit in str(len(given)))}qzz"
            given[name] = phonemes
            return name

        def looked_up(found: re.Match[str]) -> str:
            word = found.group()
            phonemes = self.lexicon.get(word, self.lexicon.get(word.lower()))
            return word if phonemes is None else stand_in(phonemes)

        parts = _GIVEN.split(text)
        if self.lexicon:
            parts[::2] = [_WORD.sub(looked_up, part) for part in parts[::2]]
        parts[1::2] = [stand_in(joined(part)) for part in parts[1::2]]
        return "".join(parts)


def joined(phonemes: str) -> str:
    """Return phonemes that are written with blanks between them as hibari-tts writes them.

    Raises:
        FrontendError: One is no symbol that is spoken, or there is none.
    """
    symbols = [each for part in phonemes.split() for each in part]
    unknown = [each for each in symbols if each not in SOUNDS and each != BREAK]
    if unknown or not SOUNDS.intersection(symbols):
        what = f"{listed(unknown)}, which are no sounds" if unknown else "no phoneme"
        raise FrontendError(
            f"`text` has {what} in `[[{phonemes}]]`; between the brackets stand sounds of the "
            f"frontend `hibari`, such as `[[h ə l ˈ O]]`."
        )
    return "".join(symbols).replace(BREAK, " ")


def check_characters(text: str, g2p: Any) -> None:
    """Refuse a text with characters that would be passed over, or words whose ends would be.

    Args:
        text: In composed form, before hibari-tts's own rules write it in words.
        g2p: Says what words are spelt with; asked only if there are letters beyond ASCII, or long
            words.

    Raises:
        FrontendError: It is empty, or has such characters.
    """
    if not text.strip():
        raise FrontendError(f"`text` is empty: {text!r}; write at least one word.")
    rest = _LINK.sub("", _GIVEN.sub("", text))
    found = [each for each in dict.fromkeys(rest) if each not in "\n\t\r"]
    unread = [each for each in found if unicodedata.category(each) in _UNREAD]
    if any(not each.isascii() for each in found):
        known = frozenset(g2p.oov.cin)
        unread += [each for each in found if not each.isascii() and _is_foreign(each, known)]
    refuse(unread)
    if too_long := [each for each in _LONG.findall(rest) if len(each) > g2p.oov.maxlen]:
        raise FrontendError(
            f"`text` has {listed(too_long)}, and the frontend `hibari` spells words of up to "
            f"{g2p.oov.maxlen} letters; write the phonemes, as in `[[h ə l ˈ O]]`."
        )


def refuse(unread: list[str]) -> None:
    """Refuse characters that nobody reads.

    Raises:
        FrontendError: There are any.
    """
    if unread:
        raise FrontendError(
            f"`text` has {listed(list(dict.fromkeys(unread)))}, which the frontend `hibari` would "
            f"pass over; it reads English in Latin letters. Take them out, or write what is to be "
            f"said."
        )


def check_money(tokens: list[Any]) -> None:
    """Refuse a sign of money that no number after it is read with.

    Raises:
        FrontendError: There is one.
    """
    for number, token in enumerate(tokens):
        if token.text not in _MONEY:
            continue
        [*amount] = [each for each in tokens[number + 1 :] if each.currency][:1]
        if not amount or amount[0].currency != token.text or not _AMOUNT.fullmatch(amount[0].text):
            refuse([token.text])


_UNREAD = frozenset(("Cc", "Cf", "Co", "Cn", "Cs"))
_LONG = re.compile(r"[^\W\d_]{20,}")
_MONEY = frozenset("$£€")
_AMOUNT = re.compile(r"[\d.,]+")


def _is_foreign(character: str, known: frozenset[str]) -> bool:
    category = unicodedata.category(character)
    if category[0] == "M":
        return True
    if category[0] not in "LN":
        return False
    return character not in known or not unicodedata.name(character, "").startswith(_LATIN)


_LATIN = ("LATIN", "VULGAR FRACTION", "SUPERSCRIPT", "FEMININE", "MASCULINE", "MICRO")


def listed(items: list[str]) -> str:
    """Return some of many in words."""
    shown = ", ".join(map(repr, items[:5]))
    return shown if len(items) <= 5 else f"{shown} and {len(items) - 5} others"


def _linked(text: str, given: Mapping[str, str]) -> str:
    """Return a text with the links of hibari-tts's for its stand-ins."""
    pattern = re.compile("|".join(map(re.escape, given)) or r"(?!)", re.IGNORECASE)
    return pattern.sub(lambda found: f"[it](/{given[found.group().lower()]}/)", text)


def _words(tokens: list[Any]) -> Iterator[str]:
    """Yield the phonemes between two blanks, tokens in a row joined."""
    phonemes = ""
    for token in tokens:
        phonemes += _heard(token)
        if token.whitespace:
            yield phonemes
            phonemes = ""
    if tokens:
        yield phonemes


def _heard(token: Any) -> str:
    """Return the phonemes of a token.

    Raises:
        FrontendError: One has no symbol, or a word has none.
    """
    if set(token.text) <= _QUOTES:
        return ""  # the tagger takes some for brackets
    phonemes = "".join(each for each in token.phonemes or "" if each not in SILENT)
    unknown = [
        each for each in phonemes if each not in SOUNDS and each not in MARKS and each != " "
    ]
    if unknown:
        raise FrontendError(
            f"`text` has {token.text!r}, which hibari-tts reads with {listed(unknown)}, for which "
            f"there is no symbol; write its phonemes, as in `[[h ə l ˈ O]]`."
        )
    if not SOUNDS.intersection(phonemes) and _is_said(token.text):
        raise FrontendError(
            f"`text` has {token.text!r}, which hibari-tts passes over; write it in words, or its "
            f"phonemes, as in `[[h ə l ˈ O]]`."
        )
    return phonemes


def _is_said(text: str) -> bool:
    """Return whether something of a token is to be heard; money is read with its number."""
    return text not in _MONEY and not signs.SILENT.issuperset(text)


def places_of(text: str, spoken: str) -> list[int]:
    """Return where in a text each word of its spoken form begins.

    Words that are the same on both sides are matched; what stands between two of these is shared
    out evenly.
    """
    found = list(_WRITTEN.finditer(text))
    written = [each.group() for each in found]
    words = _LINK.sub("it", spoken).split()
    places: list[int] = []
    matcher = SequenceMatcher(a=written, b=words, autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        for index in range(first, last):
            share = (index - first) * (end - start) // (last - first)
            nearest = min(start + share, len(found) - 1)
            places.append(found[nearest].start())
    return places
