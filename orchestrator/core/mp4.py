"""Whether a stream of bytes is one whole MP4: its top-level boxes, walked while it passes.

A box begins with its size (32 bits, big endian, header included) and its type (four characters). Size 1 means
that a 64-bit size follows, size 0 that the box runs to the end of the file (ISO/IEC 14496-12, 4.2).

What this cannot see: damage inside a box, a cut inside a last `mdat` of size 0 (`open_ended` tells), and
a fragmented file that lacks whole fragments at its end.
"""

from __future__ import annotations

HEADER = 8
LARGE_HEADER = 16
LARGEST = 2**63 - 1  # file offsets are signed
MOST_BOXES = 250_000  # an hour with a fragment per frame stays below; walking more is only our time lost

FIRST = frozenset({b"ftyp", b"free", b"skip", b"wide"})  # padding may come first; `styp` begins no file
MEDIA = frozenset({b"mdat", b"imda"})
MAY_BE_OPEN_ENDED = frozenset({b"mdat", b"free", b"skip"})  # a cut in anything else would harm, and not show
NEEDED = (b"ftyp", b"moov", b"mdat")  # without mdat, a file cut between moov and mdat would pass


class Mp4Error(ValueError):
    """These bytes are not one whole MP4; the text says why."""


class BoxWalk:
    """Walks the top-level boxes of one stream, in chunks of any size; keeps at most one header in memory."""

    def __init__(self) -> None:
        self.total = 0
        self.open_ended = False
        self._header = bytearray()
        self._wanted = HEADER
        self._left = 0
        self._type = b""
        self._seen: set[bytes] = set()
        self._boxes = 0
        self._media_owed = False
        self._refused: Mp4Error | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; raises Mp4Error as soon as they cannot belong to a whole MP4."""
        self._raise_if_refused()
        at = 0
        while at < len(chunk) and not self.open_ended:
            at += self._skip(len(chunk) - at) if self._left else self._collect(chunk, at)
        self.total += len(chunk) - at

    def finish(self) -> None:
        """The stream has ended; raises Mp4Error if it was no whole MP4."""
        self._raise_if_refused()
        if self.total == 0:
            self._refuse("it is empty")
        if self._header:
            self._refuse(f"it ends after {self.total} bytes, inside the header of a box")
        if self._left:
            box = _quoted(self._type)
            self._refuse(f"it ends after {self.total} bytes, {self._left} before the end of its box {box}")
        for needed in NEEDED:
            if needed not in self._seen:
                self._refuse(f"it has no {needed.decode()} box")
        if self._media_owed:
            self._refuse("it ends after a moof box, without the media that belongs to it")

    def _skip(self, available: int) -> int:
        """Pass over what belongs to the current box; returns how many bytes those were."""
        step = min(self._left, available)
        self._left -= step
        self.total += step
        return step

    def _collect(self, chunk: bytes, at: int) -> int:
        """Add to the header being read, and read it once it is whole; returns how many bytes were taken."""
        missing = self._wanted - len(self._header)
        taken = chunk[at : at + missing]
        self._header += taken
        self.total += len(taken)
        if len(taken) == missing:
            self._read_header()
        return len(taken)

    def _read_header(self) -> None:
        size = int.from_bytes(self._header[:4])
        self._type = bytes(self._header[4:8])
        if len(self._header) == HEADER:
            self._check_type()
        if size == 1 and len(self._header) == HEADER:
            self._wanted = LARGE_HEADER
        elif size == 0:
            self._begin_open_ended()
        else:
            self._begin(int.from_bytes(self._header[8:]) if size == 1 else size)

    def _check_type(self) -> None:
        if b"ftyp" not in self._seen and self._type not in FIRST:
            self._refuse(f"it begins with {_quoted(bytes(self._header))}, not with an ftyp box")
        if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in self._type):
            at = self.total - HEADER
            self._refuse(f"no box begins at byte {at}: its type would be {_quoted(self._type)}")

    def _begin(self, size: int) -> None:
        if not len(self._header) <= size <= LARGEST:
            self._refuse(f"the box {_quoted(self._type)} says that it is {size} bytes long")
        self._left = size - len(self._header)
        self._count()

    def _begin_open_ended(self) -> None:
        if self._type not in MAY_BE_OPEN_ENDED:
            self._refuse(
                f"the box {_quoted(self._type)} has no size, so that nobody could tell where it ends"
            )
        if b"moov" not in self._seen:
            self._refuse(f"the box {_quoted(self._type)} has no size, so that no moov box can follow")
        self.open_ended = True
        self._count()

    def _count(self) -> None:
        self._boxes += 1
        if self._boxes > MOST_BOXES:
            self._refuse(f"it has more than {MOST_BOXES} boxes")
        if self._type in MEDIA:
            self._seen.add(b"mdat")
            self._media_owed = False
        elif self._type in NEEDED:
            self._seen.add(self._type)
        elif self._type == b"moof":
            self._media_owed = True
        self._header.clear()
        self._wanted = HEADER

    def _refuse(self, reason: str) -> None:
        self._refused = Mp4Error(f"not a whole MP4: {reason}")
        raise self._refused

    def _raise_if_refused(self) -> None:
        if self._refused is not None:
            raise self._refused


def _quoted(text: bytes) -> str:
    return repr(text)[1:]
