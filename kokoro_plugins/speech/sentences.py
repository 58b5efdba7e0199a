"""Short English sentences from a small grammar, for a corpus that any machine can make.

Each word comes in many sentences, so a sentence that was held out is a new combination of words
that the model has heard. Together the words have the sounds of American English.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

_WORDS = {
    "det": ("the", "my", "your", "this", "that", "our", "every", "another"),
    "adj": (
        *("little", "old", "quiet", "yellow", "pure", "young", "cheap", "heavy", "strange"),
        *("warm", "brave", "blue", "thirsty", "golden", "clever", "loud", "rough", "square"),
    ),
    "noun": (
        *("judge", "child", "bird", "doctor", "village", "teacher", "engine", "garden", "horse"),
        *("bottle", "mother", "singer", "cat", "farmer", "boy", "treasure", "queen", "thief"),
        *("button", "house", "book", "fox", "youth", "mouse"),
    ),
    "verb": (
        *("found", "watched", "pushed", "carried", "liked", "heard", "pulled", "enjoyed"),
        *("measured", "called", "chased", "bought", "changed", "fed"),
    ),
    "move": ("walked", "ran", "jumped", "shouted", "waited", "slept", "laughed", "moved", "played"),
    "move_plain": ("walk", "wait", "play", "sleep"),
    "prep": ("near", "under", "behind", "beside", "above", "around", "through", "without"),
    "place": (
        *("the fire", "the bridge", "the river", "a church", "the sea", "the stairs"),
        *("a mirror", "the valley", "the pool", "their school", "the beach", "a road"),
    ),
    "when": (
        *("today", "at noon", "last year", "on Thursday", "in the morning", "before lunch"),
        *("all night", "after the show", "once again", "in June"),
    ),
    "how": ("quickly", "slowly", "with joy", "for an hour", "usually", "for fun"),
}
"""The words of each kind."""

_PATTERNS = (
    "{det} {adj} {noun} {verb} {det} {noun} {prep} {place}.",
    "{det} {noun} {move} {how} {prep} {place}.",
    "{det} {noun} {verb} {det} {adj} {noun} {when}.",
    "{det} {noun} {verb} {det} {noun}, and {det} {noun} {move}.",
    "did {det} {adj} {noun} {move_plain} {prep} {place} {when}?",
    "why is {det} {noun} so {adj} {when}?",
    "how {adj} {det} {noun} was {when}!",
    "{when}, {det} {noun} {move} {prep} {place}.",
)

_MAX_TRIES = 1000


def make_sentences(count: int, seed: int = 0) -> list[str]:
    """Return that many distinct sentences in random order, the same for the same seed.

    Raises:
        ValueError: The grammar does not have so many.
    """
    generator = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        sentence = _new_sentence(generator, made)
        if sentence is None:
            raise ValueError(f"`sentences` must be smaller than {count}; the grammar ran dry.")
        made[sentence] = None
    return list(made)


def _new_sentence(generator: random.Random, made: Iterable[str]) -> str | None:
    for _ in range(_MAX_TRIES):
        sentence = _sentence(generator)
        if sentence not in made:
            return sentence
    return None


def _sentence(generator: random.Random) -> str:
    """Fill a pattern; no word of a kind comes twice in a sentence."""
    pattern = generator.choice(_PATTERNS)
    for kind, words in _WORDS.items():
        slot = "{" + kind + "}"
        for word in generator.sample(words, pattern.count(slot)):
            pattern = pattern.replace(slot, word, 1)
    return pattern[0].upper() + pattern[1:]
