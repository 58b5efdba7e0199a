"""What espeak-ng speaks, but surely not as it is meant; said aloud until it is read rightly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kokoro_plugins.speech.alignment import listed
from kokoro_plugins.speech.announced import STRESS, ReadWord, phonemes, read_words
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import SpeechEvent
from kokoro_plugins.speech.text.languages import base_of, name_of

_MONEY = re.compile(r"[$£€¥]\s?\d\S*")
_ROMAN = re.compile(r"[IVXLCDM]{2,}")
_LOANED = frozenset("àâçèéêëîïñôæœ")
"""Letters of words that English has borrowed with their accents: café, façade, naïve."""

_FUNCTION_WORDS = {
    "English": "a an and are at be but by can do for from had have he her his i in is it my not of "
    "on or she that the they this to was we were what with you",
    "German": "aber auch auf bei danke das dass dem dir doch du ein eine einen er es für geht "
    "guten haben hier ich ihr ist kann kein mich mir mit nach nicht nur oder sehr sich sie sind "
    "über und uns von wenn werden wie wir wird wo zu zum zur",
    "French": "au aux avec bien bonjour ce cette dans des elle est et il je les mais merci moi ne "
    "nous où pas pour quand que qui sont sur très une votre vous",
    "Spanish": "como con cuando el ella es está este gracias hola más muy para pero por porque que "
    "se sin su una y yo",
    "Italian": "anche che ciao con della delle di gli grazie il molto nel nella non per più quando "
    "questo sono una",
    "Dutch": "aan dank deze dit een en er het hij ik je maar met niet ook op van voor wat we wij "
    "ze zijn",
    "Portuguese": "com ele ela é está mais muito não obrigado os para pelo por quando são seu um "
    "uma você",
    "Swedish": "att av det där en ett för han har hon inte jag mycket och på som till vi är",
    "Polish": "ale był czy dla do i jak jest na nie od się to w z za że",
}
"""The commonest words of languages that are written with the letters of English.

Those that stand in names in English texts ("van", "de la") are left out.
"""


def misreadings(espeak: Espeak, text: str, events: Sequence[SpeechEvent]) -> Iterator[str]:
    """Yield what a listener would not understand, a sentence for each kind of it."""
    if language := _language(text, name_of(espeak.voice)):
        yield (
            f"`text` seems to be {language}; the voice `{espeak.voice}` reads another language by "
            f"the rules of {name_of(espeak.voice)}."
        )
    if base_of(espeak.voice) == "en":
        yield from _english_misreadings(espeak, text, events)


def _english_misreadings(espeak: Espeak, text: str, events: Sequence[SpeechEvent]) -> Iterator[str]:
    money = list(dict.fromkeys(_MONEY.findall(text)))
    if money:
        yield (
            f"`text` has {listed(money)}, of which the sign is read before the number; "
            f"write the amount in words, or set `frontend.normalizer: {{type: english}}`."
        )
    if text.isascii() and not _ROMAN.search(text):
        return
    words = list(read_words(text, events))
    numerals = _roman_numerals(words, espeak)
    if numerals:
        yield (
            f'`text` has {listed(numerals)}, which is read with the word "roman" before it; '
            f"write the number in words, or set `frontend.normalizer: {{type: english}}`."
        )
    foreign = _foreign_words(words)
    if foreign:
        yield (
            f"`text` has {listed(foreign)} with letters that English does not use; the voice "
            f"`{espeak.voice}` reads another language by the rules of English."
        )


def _language(text: str, own: str) -> str | None:
    """Return the language that a text is in, if its commonest words show one but the voice's own.

    Two words of it make a language, and more than there are of any other: English quotes "que
    será", and says "is" and "the" around it.
    """
    if own not in _FUNCTION_WORDS:
        return None
    used = set(re.findall(r"\w+", text.lower()))
    counts = {name: len(used & set(known.split())) for name, known in _FUNCTION_WORDS.items()}
    (first, most), (_, second) = sorted(counts.items(), key=lambda each: -each[1])[:2]
    return first if first != own and most > max(1, second) else None


def _roman_numerals(words: Sequence[ReadWord], espeak: Espeak) -> list[str]:
    roman = phonemes(espeak, "roman").translate(STRESS)
    bare = [(each.text.strip(".,;:!?()'\""), each.reading) for each in words]
    return [text for text, read in bare if _ROMAN.fullmatch(text) and read.startswith(roman)]


def _foreign_words(words: Sequence[ReadWord]) -> list[str]:
    """Return the words of another language, if there are so many that the text is in it.

    One name with an umlaut makes no text German; an ß does, as do two such words or no other.
    """
    found = [each.text for each in words if set(each.text.lower()) & _strange(each)]
    distinct = list(dict.fromkeys(found))
    many = len(distinct) > 1 or len(found) == len(words) or any("ß" in each for each in found)
    return distinct if many else []


def _strange(word: ReadWord) -> set[str]:
    return {each.lower() for each in word.strange_letters} - _LOANED
