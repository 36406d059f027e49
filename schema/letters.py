"""Letters that look like others, and what a name that has one was probably meant to be.

What Unicode itself folds (fullwidth and mathematical letters, ligatures) is left to NFKC; the table adds the letters of
other scripts that most fonts draw like a Latin one.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# Letters and signs, and what they look like: Cyrillic, Greek, Armenian, Latin of other alphabets, dashes.
_PLAIN: Final = {
    **str.maketrans(
        "\u0430\u042c\u0441\u0501\u0435\u04bd\u04bb\u0456\u0458\u043a\u04cf\u043e\u0440\u051b", "abcdeehijklopq"
    ),
    **str.maketrans(
        "\u0433\u0455\u0475\u051d\u0445\u0443\u0410\u0412\u0421\u0415\u050c\u041d\u0406\u04c0", "rsvwxyABCEGHII"
    ),
    **str.maketrans("\u0408\u041a\u041c\u041e\u0420\u051a\u0405\u0422\u0474\u051c\u0425\u0423\u04ae", "JKMOPQSTVWXYY"),
    **str.maketrans(
        "\u03b1\u03f2\u03b9\u03f3\u03ba\u03bf\u03c1\u03c5\u03bd\u03c7\u03b3\u0391\u0392\u03f9", "acijkopuvxyABC"
    ),
    **str.maketrans("\u0395\u03dc\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u03a5\u0396", "EFHIKMNOPTXYZ"),
    **str.maketrans("\u0581\u0570\u0578\u057c\u0585\u0566\u057d\u0555\u054f\u054d", "ghnnoquOSU"),
    **str.maketrans("\u0251\u0261\u0131\u0269\u0237\u028f", "agiijy"),
    **str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-------"),
}


def look_of(text: str) -> str:
    """What a text looks like: two texts with the same look can hardly be told apart."""
    return unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN)


def meant_by(name: str) -> str:
    """The ASCII name that a name was probably meant to be, or an empty text."""
    letters = unicodedata.normalize("NFKD", look_of(name))
    meant = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return meant if meant.isascii() and not name.isascii() else ""


def describe_character(character: str) -> str:
    """`U+0430 CYRILLIC SMALL LETTER A`, for a character that may look like another or like nothing."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def describe_strange(name: str) -> str:
    """The first character of a name that is not ASCII: `the character U+0430 …, which looks like 'a'`; or nothing."""
    strange = next((character for character in name if not character.isascii()), None)
    if strange is None:
        return ""
    look = look_of(strange)
    alike = f", which looks like {look!r}" if look.isascii() else ""
    return f"the character {describe_character(strange)}{alike}"
