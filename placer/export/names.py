"""Names from user files, made fit for Kubernetes, Compose and the file system.

Schemas refuse most bad names already; this module relies on none of them, because a plan or an instance
made by code has passed no schema, and because the name of an instance may be the stem of any file.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from placer.errors import InputError

LONGEST = 63
_HASH_LENGTH = 8
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_FILE_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def is_label(text: str) -> bool:
    """Return whether ``text`` is a DNS-1123 label."""
    return _LABEL.fullmatch(text) is not None


def label(text: str, *, first_letter: bool = False) -> str:
    """Return a DNS-1123 label that resembles ``text``; a valid label is returned as it is.

    Args:
        text: any text.
        first_letter: whether it must begin with a letter: Services obey the stricter DNS-1035, which no
            schema says.
    """
    if is_label(text) and not (first_letter and text[0].isdigit()):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not plain or (first_letter and plain[0].isdigit()):
        plain = f"x-{plain}".rstrip("-")
    return plain if len(plain) <= LONGEST else _with_hash(plain, text)


def labels(texts: Iterable[str], *, first_letter: bool = False) -> dict[str, str]:
    """Return a label for each distinct text, no two the same; a text that is a label already keeps it."""
    distinct = list(dict.fromkeys(texts))
    result = {text: text for text in distinct if label(text, first_letter=first_letter) == text}
    taken = set(result)
    for text in distinct:
        if text in result:
            continue
        wanted = candidate = label(text, first_letter=first_letter)
        attempt = 0
        while candidate in taken:
            candidate = _with_hash(wanted, f"{attempt}:{text}" if attempt else text)
            attempt += 1
        result[text] = candidate
        taken.add(candidate)
    return {text: result[text] for text in distinct}


def _with_hash(plain: str, text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    return f"{plain[: LONGEST - _HASH_LENGTH - 1].rstrip('-')}-{digest}"


def inside(folder: Path, relative: str) -> Path:
    """Return the path of a file inside ``folder``.

    Raises:
        InputError: when ``relative`` could leave the folder, or holds characters that some file system reads
            otherwise.
    """
    path = PurePosixPath(relative)
    if not path.parts or not all(_FILE_PART.fullmatch(part) for part in relative.split("/")):
        raise InputError(f"'{relative[:80]}' cannot be the name of an exported file")
    return folder.joinpath(*path.parts)
