"""A tiny but real MP4, written byte by byte: H.264 baseline, a mosaic of sixteen colours.

The first frame is coded without any prediction or transform (I_PCM, ITU-T H.264 section 7.3.5), every later
one repeats it (P_Skip). The colours come from a digest, so every output of every job differs.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache

WIDTH = HEIGHT = 64
FRAMES = 16
FRAMES_PER_SECOND = 8
_MACROBLOCKS = (WIDTH // 16) * (HEIGHT // 16)


class _Bits:
    """Writes single bits and Exp-Golomb numbers."""

    def __init__(self) -> None:
        self._bits: list[str] = []
        self._length = 0

    def _put(self, bits: str) -> _Bits:
        self._bits.append(bits)
        self._length += len(bits)
        return self

    def fixed(self, value: int, width: int) -> _Bits:
        return self._put(format(value, f"0{width}b"))

    def unsigned(self, value: int) -> _Bits:
        """ue(v): as many zeros as the number plus one has further bits."""
        code = format(value + 1, "b")
        return self._put("0" * (len(code) - 1) + code)

    def signed(self, value: int) -> _Bits:
        """se(v): 0, 1, -1, 2, -2 and so on."""
        return self.unsigned(2 * value - 1 if value > 0 else -2 * value)

    def align(self) -> _Bits:
        return self._put("0" * (-self._length % 8))

    def raw(self, data: bytes) -> _Bits:
        return self._put(format(int.from_bytes(data, "big"), f"0{8 * len(data)}b"))

    def payload(self) -> bytes:
        """The bytes, closed with the stop bit."""
        text = "".join(self._bits) + "1"
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def _nal(header: int, bits: _Bits) -> bytes:
    """One NAL unit, with emulation prevention bytes put in."""
    payload = bits.payload()
    if b"\0\0" not in payload:
        return bytes([header]) + payload
    out, zeros = bytearray([header]), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _sequence_parameters() -> bytes:
    bits = _Bits().fixed(66, 8).fixed(0b11000000, 8).fixed(10, 8)  # constrained baseline, level 1
    bits.unsigned(0).unsigned(0).unsigned(2)  # id; frame_num in 4 bits; picture order is decoding order
    bits.unsigned(1).fixed(0, 1).unsigned(WIDTH // 16 - 1).unsigned(HEIGHT // 16 - 1)
    return _nal(
        0x67, bits.fixed(1, 1).fixed(1, 1).fixed(0, 1).fixed(0, 1)
    )  # frames only; 8x8; no crop; no VUI


def _picture_parameters() -> bytes:
    bits = _Bits().unsigned(0).unsigned(0).fixed(0, 1).fixed(0, 1).unsigned(0)  # CAVLC, one slice group
    bits.unsigned(0).unsigned(0).fixed(0, 1).fixed(0, 2).signed(0).signed(0).signed(0)
    return _nal(0x68, bits.fixed(1, 1).fixed(0, 1).fixed(0, 1))  # deblocking can be switched off per slice


def _first_frame(colours: bytes) -> bytes:
    bits = _Bits().unsigned(0).unsigned(7).unsigned(0).fixed(0, 4).unsigned(0)  # I slice, IDR
    bits.fixed(0, 1).fixed(0, 1).signed(0).unsigned(1)  # reference marking; qp; no deblocking
    for block in range(_MACROBLOCKS):
        luma, blue, red = colours[3 * block : 3 * block + 3]
        samples = bytes([luma]) * 256 + bytes([blue]) * 64 + bytes([red]) * 64
        bits.unsigned(25).align().raw(samples)  # mb_type I_PCM
    return _nal(0x65, bits)


def _repeated_frame(number: int) -> bytes:
    bits = _Bits().unsigned(0).unsigned(5).unsigned(0).fixed(number % 16, 4)  # P slice
    bits.fixed(0, 1).fixed(0, 1).fixed(0, 1).signed(0).unsigned(1)
    return _nal(0x41, bits.unsigned(_MACROBLOCKS))  # mb_skip_run over the whole picture


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _sample_entry(sps: bytes, pps: bytes) -> bytes:
    config = _box(
        b"avcC",
        bytes([1, *sps[1:4], 0xFF, 0xE1]),
        struct.pack(">H", len(sps)),
        sps,
        b"\x01",
        struct.pack(">H", len(pps)),
        pps,
    )
    head = (
        bytes(6)
        + struct.pack(">H", 1)
        + bytes(16)
        + struct.pack(">HHIIIH", WIDTH, HEIGHT, 0x480000, 0x480000, 0, 1)
    )
    return _box(b"avc1", head, bytes(32), struct.pack(">Hh", 24, -1), config)


def _sample_table(sps: bytes, pps: bytes, sizes: list[int], first_byte: int) -> bytes:
    return _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack(">I", 1), _sample_entry(sps, pps)),
        _full(b"stts", 0, struct.pack(">III", 1, FRAMES, 1)),
        _full(b"stss", 0, struct.pack(">II", 1, 1)),
        _full(b"stsc", 0, struct.pack(">IIII", 1, 1, FRAMES, 1)),
        _full(b"stsz", 0, struct.pack(f">II{FRAMES}I", 0, FRAMES, *sizes)),
        _full(b"stco", 0, struct.pack(">II", 1, first_byte)),
    )


def _movie(table: bytes) -> bytes:
    times = struct.pack(">IIII", 0, 0, FRAMES_PER_SECOND, FRAMES)
    header = _full(
        b"mvhd", 0, times, struct.pack(">IHH8x", 0x10000, 0x0100, 0), _MATRIX, bytes(24), struct.pack(">I", 2)
    )
    track = _full(
        b"tkhd",
        3,
        struct.pack(">IIIII8xHHHH", 0, 0, 1, 0, FRAMES, 0, 0, 0, 0),
        _MATRIX,
        struct.pack(">II", WIDTH << 16, HEIGHT << 16),
    )
    here = _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, times, struct.pack(">HH", 0x55C4, 0)),  # language "und"
        _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"video\0"),
        _box(b"minf", _full(b"vmhd", 1, bytes(8)), here, table),
    )
    return _box(b"moov", header, _box(b"trak", track, media))


@lru_cache(maxsize=1024)
def make_video(seed: int, job: int, index: int) -> bytes:
    """The MP4 of one output: 64 by 64 pixels, two seconds, some seven kilobytes."""
    digest = hashlib.sha512(f"{seed}:{job}:{index}".encode()).digest()
    colours = bytes(40 + value * 160 // 255 for value in digest[: 3 * _MACROBLOCKS])
    sps, pps = _sequence_parameters(), _picture_parameters()
    frames = [_first_frame(colours), *(_repeated_frame(number) for number in range(1, FRAMES))]
    samples = [struct.pack(">I", len(frame)) + frame for frame in frames]
    sizes = [len(sample) for sample in samples]
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    first_byte = len(kind) + len(_movie(_sample_table(sps, pps, sizes, 0))) + 8
    return kind + _movie(_sample_table(sps, pps, sizes, first_byte)) + _box(b"mdat", *samples)


def served_size(video: bytes, wanted: int | None) -> int:
    """How many bytes are served when so many are wanted; a padding box needs eight at least."""
    return wanted if wanted is not None and wanted >= len(video) + 8 else len(video)


def padding_header(missing: int) -> bytes:
    """The head of a `free` box that fills so many bytes in all; at least 8 are needed."""
    if missing < 1 << 32:
        return struct.pack(">I", missing) + b"free"
    return struct.pack(">I", 1) + b"free" + struct.pack(">Q", missing)
