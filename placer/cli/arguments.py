"""What holds for every argument of every command, whatever it is for."""

from __future__ import annotations

_LONGEST_SHOWN = 60


def fault_of_text(text: str) -> str | None:
    """Return why an argument is refused whatever it is for, or None.

    Bytes that are no UTF-8 reach Python as lone surrogates, which no file that placer writes could hold; control
    characters in a name would be run by the terminal that shows it.
    """
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        return "holds bytes that are not UTF-8"
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text):
        return "holds a control character"
    return None


def shown(value: object) -> str:
    """Return an argument as a message quotes it: short, every character printable."""
    text = ascii(value) if fault_of_text(str(value)) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 4]}...{text[0]}"
