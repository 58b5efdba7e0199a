"""The languages that espeak-ng speaks, by code and by name, and the letters that they take."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TABLE = """
af Afrikaans; am Amharic; an Aragonese; ar Arabic; as Assamese; az Azerbaijani; ba Bashkir
be Belarusian; bg Bulgarian; bn Bengali; bpy Bishnupriya Manipuri; bs Bosnian; ca Catalan
ca-ba Catalan (Balearic); ca-nw Catalan (North-western); ca-va Catalan (Valencian)
chr-US-Qaaa-x-west Cherokee; cmn Chinese (Mandarin, latin as English)
cmn-latn-pinyin Chinese (Mandarin, latin as Pinyin); cs Czech; cv Chuvash; cy Welsh
da Danish; de German; el Greek; en-029 English (Caribbean); en-gb English (Great Britain)
en-gb-scotland English (Scotland); en-gb-x-gbclan English (Lancaster)
en-gb-x-gbcwmd English (West Midlands); en-gb-x-rp English (Received Pronunciation)
en-shaw English (Shavian alphabet); en-us English (America)
en-us-nyc English (America, New York City); eo Esperanto; es Spanish (Spain)
es-419 Spanish (Latin America); et Estonian; eu Basque; fa Persian
fa-latn Persian (Pinglish); fi Finnish; fr-be French (Belgium)
fr-ch French (Switzerland); fr-fr French (France); ga Gaelic (Irish); gd Gaelic (Scottish)
gn Guarani; grc Greek (Ancient); gu Gujarati; hak Hakka Chinese; haw Hawaiian; he Hebrew
hi Hindi; hr Croatian; ht Haitian Creole; hu Hungarian; hy Armenian (East Armenia)
hyw Armenian (West Armenia); ia Interlingua; id Indonesian; io Ido; is Icelandic; it Italian
ja Japanese; jbo Lojban; ka Georgian; kk Kazakh; kl Greenlandic; kn Kannada
ko Korean; kok Konkani; ku Kurdish; ky Kyrgyz; la Latin; lb Luxembourgish
lfn Lingua Franca Nova; lt Lithuanian; ltg Latgalian; lv Latvian; mi Māori; mk Macedonian
ml Malayalam; mr Marathi; ms Malay; mt Maltese; mto Totontepec Mixe; my Myanmar (Burmese)
nb Norwegian Bokmål; nci Nahuatl (Classical); ne Nepali; nl Dutch; nog Nogai; om Oromo
or Oriya; pa Punjabi; pap Papiamento; pl Polish; pt Portuguese (Portugal)
pt-br Portuguese (Brazil); py Pyash; qdb Lang Belta; qu Quechua; quc K'iche'; qya Quenya
ro Romanian; ru Russian; ru-cl Russian (Classic); ru-lv Russian (Latvia); sd Sindhi
shn Shan (Tai Yai); si Sinhala; sjn Sindarin; sk Slovak; sl Slovenian; smj Lule Saami
sq Albanian; sr Serbian; sv Swedish; sw Swahili; ta Tamil; te Telugu; th Thai; ti Tigrinya
tk Turkmen; tn Setswana; tr Turkish; tt Tatar; ug Uyghur; uk Ukrainian; ur Urdu; uz Uzbek
vi Vietnamese (Northern); vi-vn-x-central Vietnamese (Central)
vi-vn-x-south Vietnamese (Southern); yue Chinese (Cantonese)
"""

LANGUAGES: dict[str, str] = {
    code: name
    for code, _, name in (each.strip().partition(" ") for each in re.split(r"[;\n]", _TABLE))
    if code
}
"""The name of each language, or of a kind of it, by espeak-ng's code."""

_USUAL = {
    "en": "en-us",
    "english": "en-us",
    "fr": "fr-fr",
    "french": "fr-fr",
    "zh": "cmn",
    "chinese": "cmn",
    "mandarin": "cmn",
    "cantonese": "yue",
    "no": "nb",
    "norwegian": "nb",
}
"""The codes of languages of which espeak-ng knows several kinds, or by another code."""

_SCRIPTS = {
    "ARABIC": "ar fa sd ug ur",
    "ARMENIAN": "hy hyw",
    "BENGALI": "as bn bpy",
    "CHEROKEE": "chr",
    "CJK": "cmn hak ja yue",
    "CYRILLIC": "ba be bg bs cv kk ky mk nog ru sr tt uk uz",
    "DEVANAGARI": "hi kok mr ne",
    "ETHIOPIC": "am ti",
    "GEORGIAN": "ka",
    "GREEK": "el grc",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "MALAYALAM": "ml",
    "MYANMAR": "my shn",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}
"""Scripts beside the Latin one, as Unicode calls them, and the languages that are written in it."""


def code_of(language: str) -> str | None:
    """Return espeak-ng's code of a language, given by code or by name, or None if it has none."""
    wanted = language.lower()
    if wanted in _USUAL:
        return _USUAL[wanted]
    for code, name in LANGUAGES.items():
        if wanted in (code.lower(), name.lower(), name.partition(" (")[0].lower()):
            return code
    return None


def is_voice(voice: str) -> bool:
    """Return whether a voice is a code, with a variant if there is a plus sign."""
    code, plus, variant = voice.partition("+")
    return code in LANGUAGES and (not plus or re.fullmatch(r"\w+", variant) is not None)


def base_of(voice: str) -> str:
    """Return the language of a voice without its region, such as ``en`` for ``en-gb+f3``."""
    return re.split(r"[-+]", voice, maxsplit=1)[0]


def name_of(voice: str) -> str:
    """Return the English name of a voice's language."""
    code = voice.partition("+")[0]
    return LANGUAGES.get(code, code).partition(" (")[0]


def scripts_of(language: str) -> Iterator[str]:
    """Yield the scripts that a language without its region is written in."""
    yield "LATIN"
    yield from (script for script, known in _SCRIPTS.items() if language in known.split())
