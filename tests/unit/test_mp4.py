"""The walk over an MP4's top-level boxes: what is whole passes, what is cut or something else does not."""

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.mp4 import MOST_BOXES, BoxWalk, Mp4Error


def box(kind: str, payload: bytes = b"", *, large: bool = False) -> bytes:
    if large:
        return b"\0\0\0\1" + kind.encode("latin-1") + (16 + len(payload)).to_bytes(8) + payload
    return (8 + len(payload)).to_bytes(4) + kind.encode("latin-1") + payload


def open_ended(kind: str, payload: bytes = b"") -> bytes:
    return b"\0\0\0\0" + kind.encode() + payload


FTYP = box("ftyp", b"isom\0\0\2\0isommp42")
MOOV = box("moov", box("mvhd", bytes(100)))
MDAT = box("mdat", b"frames" * 9)
FRAGMENT = box("moof", b"m" * 20) + MDAT

WHOLE = {
    "media last": FTYP + MOOV + MDAT,
    "media first": FTYP + box("free") + MDAT + MOOV,
    "padding before the ftyp": box("free", b"x") + box("skip") + box("wide") + FTYP + MOOV + MDAT,
    "64-bit sizes": box("ftyp", b"isom", large=True) + box("mdat", b"frames", large=True) + MOOV,
    "one fragment": FTYP + MOOV + FRAGMENT,
    "a type with a copyright sign": FTYP + box("\xa9xyz", b"q") + MDAT + MOOV,
    "newer media box": FTYP + MOOV + box("imda", b"frames"),
}


def verdict(chunks: Iterable[bytes]) -> str:
    """Why the chunks are refused, or nothing."""
    walk = BoxWalk()
    try:
        for chunk in chunks:
            walk.feed(chunk)
        walk.finish()
    except Mp4Error as refused:
        return str(refused)
    return ""


def cut_up(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_file_passes_in_chunks_of_every_size(data: bytes) -> None:
    for size in range(1, len(data) + 1):
        assert verdict(data[at : at + size] for at in range(0, len(data), size)) == ""


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_a_file_cut_at_any_place_is_refused(data: bytes) -> None:
    assert [length for length in range(len(data)) if not verdict([data[:length]])] == []


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_a_file_with_a_little_more_at_its_end_is_refused(data: bytes) -> None:
    assert all(verdict([data, extra]) for extra in (b"\0", b"\r\n", bytes(8), b"</html>\n", MOOV[:-1]))


def test_the_walk_counts_every_byte() -> None:
    for data in (FTYP + MOOV + MDAT, FTYP + MOOV + open_ended("mdat", b"frames")):
        walk = BoxWalk()
        for chunk in cut_up(data, [3, 40, 41, len(data) - 2]):
            walk.feed(chunk)
        assert walk.total == len(data)


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(0, 10_000), max_size=12))
def test_how_a_whole_file_is_chunked_makes_no_difference(name: str, places: list[int]) -> None:
    assert verdict(cut_up(WHOLE[name], places)) == ""


@given(st.binary(max_size=80), st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_how_hostile_bytes_are_chunked_makes_no_difference(
    tail: bytes, places: list[int], begins_well: bool
) -> None:
    data = FTYP + tail if begins_well else tail
    assert verdict(cut_up(data, places)) == verdict([data]) != ""


KINDS = ("ftyp", "moov", "moof", "mdat", "free", "uuid")


@given(st.lists(st.sampled_from(KINDS), max_size=7), st.binary(max_size=3), st.booleans())
def test_any_order_of_boxes_passes_if_it_can_be_played(kinds: list[str], payload: bytes, large: bool) -> None:
    significant = [kind for kind in kinds if kind != "free"]
    media = [kind for kind in kinds if kind in {"moof", "mdat"}]
    playable = significant[:1] == ["ftyp"] and "moov" in kinds and "mdat" in kinds and media[-1:] == ["mdat"]
    assert (verdict(box(kind, payload, large=large) for kind in kinds) == "") is playable


@pytest.mark.parametrize(
    "start",
    [
        b"<!DOCTYPE html>",
        b"<html><b",
        b'{"error": {"code": 500}}',
        b"\n\n\n\n\n\n\n\n",
        b"\x1a\x45\xdf\xa3\x01\0\0\0",  # WebM
        b"RIFF\x10\0\0\0AVI ",
        b"\x1f\x8b\x08\0\0\0\0\0",  # gzip
        b"\x89PNG\r\n\x1a\n",
        bytes(8),
        b"\xff" * 8,
        box("moov"),
        box("styp", b"msdh")[:8],
        b"\0\0\0\1mdat",
    ],
)
def test_what_is_no_mp4_is_refused_at_its_eighth_byte(start: bytes) -> None:
    walk = BoxWalk()
    walk.feed(start[:7])
    with pytest.raises(Mp4Error, match="not with an ftyp box"):
        walk.feed(start[7:8])


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        *[(size.to_bytes(4) + b"mdat", f"{size} bytes long") for size in range(2, 8)],
        *[
            (b"\0\0\0\1mdat" + size.to_bytes(8), f"{size} bytes long")
            for size in (0, 1, 8, 15, 2**63, 2**64 - 1)
        ],
        (open_ended("moov"), "nobody could tell where it ends"),
        (open_ended("mdat"), "no moov box can follow"),
        (box("mda\n"), "no box begins at byte 24"),
        (bytes(8), "no box begins"),
        (b"\0\0\0\x08\xff\xfe\xfd\xfc", "no box begins"),
    ],
)
def test_an_impossible_header_is_refused_at_once(header: bytes, reason: str) -> None:
    walk = BoxWalk()
    walk.feed(FTYP)
    walk.feed(header[:-1])
    with pytest.raises(Mp4Error, match=reason):
        walk.feed(header[-1:])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (FTYP[:5], "ends after 5 bytes, inside the header"),
        (FTYP + MOOV + MDAT[:-4], "4 before the end of its box 'mdat'"),
        (FTYP + MOOV + b"\0\0\0\1mdat\0\0", "inside the header"),
        (FTYP + MDAT, "no moov box"),
        (FTYP + MOOV, "no mdat box"),
        (box("free"), "no ftyp box"),
        (FTYP + MOOV + FRAGMENT + box("moof"), "without the media that belongs to it"),
    ],
)
def test_the_end_says_what_is_missing(data: bytes, reason: str) -> None:
    walk = BoxWalk()
    walk.feed(data)
    with pytest.raises(Mp4Error, match=reason):
        walk.finish()


def test_media_that_runs_to_the_end_passes_and_is_marked_as_unprovable() -> None:
    walk = BoxWalk()
    walk.feed(FTYP + MOOV + open_ended("mdat", b"fra"))
    walk.feed(b"mes" + bytes(7))
    walk.finish()
    assert walk.open_ended


def test_a_stream_once_refused_stays_refused() -> None:
    walk = BoxWalk()
    with pytest.raises(Mp4Error):
        walk.feed(b"<html>\n\n")
    with pytest.raises(Mp4Error):
        walk.feed(FTYP + MOOV + MDAT)
    with pytest.raises(Mp4Error):
        walk.finish()


def test_endless_tiny_boxes_are_refused() -> None:
    walk = BoxWalk()
    walk.feed(FTYP)
    with pytest.raises(Mp4Error, match="more than"):
        walk.feed(box("free") * MOST_BOXES)


def test_a_long_payload_is_not_kept() -> None:
    chunk = bytes(1 << 20)
    walk = BoxWalk()
    walk.feed(FTYP + MOOV + b"\0\0\0\1mdat" + (16 + 512 * len(chunk)).to_bytes(8))
    tracemalloc.start()
    try:
        for _ in range(512):
            walk.feed(chunk)
        walk.finish()
        assert tracemalloc.get_traced_memory()[1] < 16_384
    finally:
        tracemalloc.stop()
