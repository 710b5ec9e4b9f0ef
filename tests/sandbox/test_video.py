"""The video that the sandbox makes itself is a real MP4."""

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.sandbox.video import FRAMES, HEIGHT, WIDTH, make_video, padding_header
from tests.sandbox.harness import Sandbox

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl"}


def boxes(data: bytes, prefix: str = "") -> Iterator[tuple[str, int, bytes]]:
    """Path, offset and body of every box; each must end where the next begins and the last at the end."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        assert 8 <= size <= len(data) - at
        path = f"{prefix}/{kind.decode()}"
        yield path, at, data[at + 8 : at + size]
        if kind in CONTAINERS:
            yield from boxes(data[at + 8 : at + size], path)
        at += size


def test_its_boxes_nest_and_its_samples_lie_where_the_table_says() -> None:
    video = make_video(1, 1, 0)
    found = {path: (at, body) for path, at, body in boxes(video)}
    assert [path for path, _, _ in boxes(video) if path.count("/") == 1] == ["/ftyp", "/moov", "/mdat"]
    table = "/moov/trak/mdia/minf/stbl"
    sizes = struct.unpack(f">{FRAMES}I", found[f"{table}/stsz"][1][12:])
    (offset,) = struct.unpack(">I", found[f"{table}/stco"][1][8:])
    assert offset == found["/mdat"][0] + 8
    assert sum(sizes) == len(found["/mdat"][1])
    for size in sizes:
        (length,) = struct.unpack(">I", video[offset : offset + 4])
        assert length == size - 4
        offset += size


def test_its_sample_entry_describes_its_stream() -> None:
    stsd = next(body for path, _, body in boxes(make_video(1, 1, 0)) if path.endswith("/stsd"))
    assert stsd[12:16] == b"avc1"
    assert struct.unpack(">HH", stsd[40:44]) == (WIDTH, HEIGHT)
    config = stsd[stsd.index(b"avcC") + 4 :]
    assert config[0] == 1
    sps_length = struct.unpack(">H", config[6:8])[0]
    sps = config[8 : 8 + sps_length]
    assert sps[0] & 31 == 7
    assert sps[1:4] == config[1:4]


def test_it_is_the_same_for_the_same_seed_and_another_for_every_output() -> None:
    make_video.cache_clear()
    first = make_video(1, 1, 0)
    make_video.cache_clear()
    assert make_video(1, 1, 0) == first
    assert len({make_video(seed, job, index) for seed in (1, 2) for job in (1, 2) for index in (0, 1)}) == 8


def test_padding_is_a_box_of_its_own_even_beyond_4_gib() -> None:
    assert padding_header(100) == struct.pack(">I4s", 100, b"free")
    assert padding_header(1 << 33) == struct.pack(">I4sQ", 1, b"free", 1 << 33)


def test_served_content_ends_with_a_whole_padding_box(sandbox: Sandbox) -> None:
    content = sandbox.content(sandbox.done(content_bytes=200_000)).content
    tops = [path for path, _, _ in boxes(content) if path.count("/") == 1]
    assert tops == ["/ftyp", "/moov", "/mdat", "/free"]


@pytest.mark.parametrize("padding", [0, 50_000])
def test_every_box_is_whole_and_a_player_if_there_is_one_reads_every_frame(
    tmp_path: Path, padding: int
) -> None:
    video = make_video(1, 1, 0) + (padding_header(padding) + bytes(padding - 8) if padding else b"")
    assert len([path for path, _, _ in boxes(video) if path.count("/") == 1]) == (4 if padding else 3)
    if probe := shutil.which("ffprobe"):
        file = tmp_path / "video.mp4"
        file.write_bytes(video)
        shown = "stream=codec_name,width,height,nb_read_frames:format=duration"
        command = [probe, "-v", "error", "-count_frames", "-show_entries", shown, "-of", "json", str(file)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        seen = json.loads(result.stdout)
        stream = seen["streams"][0]
        assert result.stderr == ""
        assert (stream["codec_name"], stream["width"], stream["nb_read_frames"]) == (
            "h264",
            WIDTH,
            str(FRAMES),
        )
        assert float(seen["format"]["duration"]) == 2.0
