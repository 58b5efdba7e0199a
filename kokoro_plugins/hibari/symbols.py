"""The symbols of hibari-tts, which are those of Kokoro-82M and misaki: what an index means.

A phoneme is one character, also a diphthong: ``A`` is the vowel of *day*, ``I`` of *my*, ``O`` of
*go*, ``W`` of *now*, ``Y`` of *boy*, ``T`` the flap of *water*, ``ᵊ`` the end of *bottle*.
"""

from __future__ import annotations

PAD, START, END, BREAK = "<pad>", "^", "$", "_"
"""Padding, the silences at both ends, and the blank between two words."""

SILENCES = (START, END, BREAK)
MARKS = (";", ":", ",", ".", "!", "?", "—", "…", "(", ")")
STRESSES = ("ˈ", "ˌ")
CONSONANTS = tuple("bdfhjklmnpstvwzðŋɡɹʃʒʤʧθT")
VOWELS = tuple("AIOWYiuæɐɑɔəɛɜɪʊʌᵊᵻ")

SYMBOLS: tuple[str, ...] = (PAD, *SILENCES, *MARKS, *STRESSES, *CONSONANTS, *VOWELS)
"""The symbol of each phoneme index."""

SOUNDS = frozenset((*STRESSES, *CONSONANTS, *VOWELS))

SILENT = frozenset('"“”')
"""What the phonemes of a text may have in them and nobody hears."""
