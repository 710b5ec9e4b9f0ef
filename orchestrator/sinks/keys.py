"""Keys of objects, made from a template, and what an object says of its job; values may be anybody's words.

A value can neither add a `/` to a key nor be a segment that means another place: what is outside a small
alphabet is percent-encoded, and so are dots at its ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import Formatter
from urllib.parse import quote

from orchestrator.sinks.base import Parcel

NAME = "name"
FACTS = (
    "tenant",
    "job_id",
    "reference",
    "model",
    "provider",
    "outcome",
    "index",
    "date",
    "sha256",
    "event",
)
# An object that is brought once more must get the same key, so only what never changes about a job.
FIELDS = (NAME, *(name for name in FACTS if name != "provider"))
LONGEST_KEY = 1000  # bytes; S3, GCS and Azure end at 1024
LONGEST_NAME = 200
LONGEST_VALUE = 100  # of one field, as it stands in the key
LONGEST_FACT = 128  # of one entry of the metadata: S3 takes 2 KiB of all
NOTHING = "-"  # in place of a fact that is not known
SEGMENT = re.compile(r"[A-Za-z0-9_=+@,-][A-Za-z0-9_.=+@,-]*(?<!\.)")
# Metadata are headers: of those with a `_` servers lose some, and Azure takes no `-`.
IN_HEADERS = {"job_id": "job"}
IN_METADATA = "-._~:/@+,="
MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(; ?[A-Za-z0-9=_.+\"-]{1,60})?"
)
ANY_MEDIA = "application/octet-stream"

Part = tuple[str, str | None]  # text, and the field that follows it


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template, such as `{tenant}/{date}/{name}`."""

    parts: tuple[Part, ...]

    def key(self, parcel: Parcel) -> str:
        """The key of this parcel; no two names have the same one, if their facts are their own."""
        return "".join(text + ("" if field is None else _value(parcel, field)) for text, field in self.parts)


def parse(text: str, prefix: str = "") -> Template:
    """Check a template. Raises ValueError in words, which names the fields there are."""
    try:
        parts = tuple(_parts(text))
    except ValueError as error:
        raise ValueError(f"{error}; write it like {{date}}/{{name}}") from None
    fields = [field for _, field in parts if field is not None]
    if NAME not in fields:
        raise ValueError("has no {name}: without it two results would have the same key")
    # `x` stands for values: none of them makes a segment empty, or begins or ends it with a dot.
    require_segments("".join(before + ("x" if field else "") for before, field in parts))
    longest = len(prefix) + sum(len(before) for before, _ in parts) + sum(map(_longest, fields)) + 1
    if longest > LONGEST_KEY:
        raise ValueError(
            f"makes keys of up to {longest} bytes; at most {LONGEST_KEY} are safe with all stores"
        )
    return Template(parts)


def require_segments(path: str) -> None:
    """Raise ValueError where a path is not made of plain segments. It is not repeated."""
    for segment in path.split("/"):
        if not SEGMENT.fullmatch(segment):
            raise ValueError(
                "has a part between slashes that is empty, begins or ends with a dot, or has other letters "
                "than a-z, A-Z, 0-9 and _ - . = + @ ,"
            )


def metadata(parcel: Parcel, sha256: str | None) -> dict[str, str]:
    """The content type, and the facts as printable ASCII: percent-encoded, the long ones cut."""
    facts = dict(parcel.facts) | ({"sha256": sha256} if sha256 else {})
    told = {IN_HEADERS.get(name, name): _ascii(str(facts[name])) for name in FACTS if facts.get(name)}
    fits = MEDIA_TYPE.fullmatch(parcel.content_type)
    return {"Content-Type": parcel.content_type if fits else ANY_MEDIA, **told}


def _parts(text: str) -> Iterator[Part]:
    for before, field, form, conversion in Formatter().parse(text):
        if form or conversion:
            raise ValueError("has a field with more than a name in its braces")
        if field is not None and field not in FIELDS:
            raise ValueError(f"has an unknown field: there are {', '.join(FIELDS)}")
        yield before, field


def _longest(field: str) -> int:
    return LONGEST_NAME if field == NAME else LONGEST_VALUE


def _value(parcel: Parcel, field: str) -> str:
    if field == NAME:
        return parcel.name  # checked by `require_safe`
    encoded = quote(str(parcel.facts.get(field, "")), safe="", errors="replace").replace("~", "%7E")
    return _plain_ends(_cut(encoded, LONGEST_VALUE - 4)) or NOTHING


def _plain_ends(text: str) -> str:
    first, last = text.startswith("."), text.endswith(".") and len(text) > 1
    return ("%2E" if first else "") + text[first : len(text) - last] + ("%2E" if last else "")


def _ascii(text: str) -> str:
    return _cut(quote(text, safe=IN_METADATA, errors="replace"), LONGEST_FACT)


def _cut(encoded: str, length: int) -> str:
    """Its beginning, without half an escape at the end."""
    return re.sub(r"%[0-9A-F]?$", "", encoded[:length])
