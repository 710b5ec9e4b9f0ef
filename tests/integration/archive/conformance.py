"""What every archive promises, as tests; an archive's own test file subclasses `ArchiveConformance`.

It gives these fixtures, made without the archive where they look at or change what it has:

- `archive`, an empty one, and `another`, a second one at the same place, as another process would have;
- `read_back(sha256)`, the bytes under a hash, None if there are none;
- `damage(sha256, content)`, which puts other bytes there, or removes it where `content` is None;
- `unfinished()`, how many things attempts have left there that are not finished.
"""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.archive import Archive, Keeping, Kept
from orchestrator.errors import NEVER, ContentDamaged, DestinationError
from tests.integration.sinks.conformance import BAD_NAMES, several

ReadBack = Callable[[str], bytes | None]
Damage = Callable[[str, bytes | None], None]
Unfinished = Callable[[], int]

NAME = "job_01-0"
ABSENT = "0" * 64
BAD_HASHES = [
    "",
    "..",
    "0" * 63,
    "0" * 65,
    "A" * 64,
    "0" * 63 + "/",
    "../" + "0" * 61,
    "0" * 63 + "\n",
    "é" * 64,
]
MIB = 1 << 20
LARGE = bytes(range(256)) * 4 * 2500  # 2.4 MiB: no whole number of pieces
AGES_HENCE = 10.0**11

_numbers = count()


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fresh_name() -> str:
    """A name of its own for each example that hypothesis makes in one archive."""
    return f"example-{next(_numbers)}"


def keep(archive: Archive, *chunks: bytes, name: str | None = None, attempt: int = 1) -> Kept:
    keeping = archive.begin(name or fresh_name(), attempt)
    for chunk in chunks:
        keeping.write(chunk)
    return keeping.keep()


def whole(archive: Archive, sha256: str) -> bytes:
    return b"".join(archive.read(sha256))


class ArchiveConformance:
    @pytest.fixture(autouse=True)
    def _closed(self, archive: Archive, another: Archive) -> object:
        yield
        archive.close()
        another.close()

    def test_a_new_archive_can_be_checked_and_has_nothing(
        self, archive: Archive, another: Archive, unfinished: Unfinished
    ) -> None:
        for one in (archive, another, archive):
            one.check()
        assert archive.has(ABSENT) is None
        assert unfinished() == 0

    def test_what_is_kept_is_given_back_and_told_by_its_hash(
        self, archive: Archive, another: Archive, read_back: ReadBack
    ) -> None:
        kept = keep(archive, b"one, ", b"", b"two")
        assert kept == Kept(sha256_of(b"one, two"), 8)
        for one in (archive, another):
            assert one.has(kept.sha256) == kept
            assert whole(one, kept.sha256) == b"one, two"
        assert read_back(kept.sha256) == b"one, two"

    def test_an_archive_that_was_never_checked_takes_what_comes(self, archive: Archive) -> None:
        assert archive.has(ABSENT) is None
        archive.remove(ABSENT)
        assert archive.tidy(AGES_HENCE) == 0
        keep(archive, b"first")

    def test_nothing_is_there_before_it_is_kept(self, archive: Archive, read_back: ReadBack) -> None:
        keeping = archive.begin(NAME, 1)
        keeping.write(b"half")
        assert archive.has(keeping.sha256()) is None
        assert read_back(keeping.sha256()) is None
        keeping.discard()

    def test_the_hash_is_known_before_it_is_kept(self, archive: Archive) -> None:
        keeping = archive.begin(NAME, 1)
        keeping.write(b"one, ")
        keeping.write(b"two")
        assert keeping.sha256() == sha256_of(b"one, two")
        assert keeping.keep().sha256 == keeping.sha256()

    def test_content_may_be_empty(self, archive: Archive, read_back: ReadBack) -> None:
        kept = keep(archive)
        assert kept == Kept(sha256_of(b""), 0)
        assert archive.has(kept.sha256) == kept
        assert list(archive.read(kept.sha256)) == []
        assert read_back(kept.sha256) == b""

    def test_large_content_comes_in_pieces_of_a_mib_at_most(self, archive: Archive) -> None:
        kept = keep(archive, LARGE[:MIB], LARGE[MIB : MIB + 1], LARGE[MIB + 1 :])
        pieces = list(archive.read(kept.sha256))
        assert b"".join(pieces) == LARGE
        assert max(map(len, pieces)) <= MIB
        assert all(pieces)

    def test_keeping_twice_tells_the_same(self, archive: Archive) -> None:
        keeping = archive.begin(NAME, 1)
        keeping.write(b"once")
        assert keeping.keep() == keeping.keep()

    def test_equal_content_under_two_names_is_there_once(
        self, archive: Archive, read_back: ReadBack, unfinished: Unfinished
    ) -> None:
        assert keep(archive, b"same", name="a") == keep(archive, b"sa", b"me", name="b")
        assert read_back(sha256_of(b"same")) == b"same"
        assert unfinished() == 0

    def test_names_do_not_disturb_each_other(self, archive: Archive, read_back: ReadBack) -> None:
        names = ["a", "a.1", "a.1.part", "a.part", "b"]
        keepings = {name: archive.begin(name, 1) for name in names}
        for name, keeping in keepings.items():
            keeping.write(name.encode())
            archive.begin(name, 0).discard()
        hashes = [keeping.keep().sha256 for keeping in keepings.values()]
        assert [read_back(sha256) for sha256 in hashes] == [name.encode() for name in names]

    def test_discarding_leaves_nothing_and_may_be_done_again(
        self, archive: Archive, read_back: ReadBack, unfinished: Unfinished
    ) -> None:
        keeping = archive.begin(NAME, 1)
        keeping.write(LARGE)
        keeping.discard()
        keeping.discard()
        assert unfinished() == 0
        assert read_back(sha256_of(LARGE)) is None
        keep(archive, LARGE, name=NAME, attempt=2)

    def test_discarding_after_keeping_takes_nothing_back(self, archive: Archive, read_back: ReadBack) -> None:
        keeping = archive.begin(NAME, 1)
        keeping.write(b"stays")
        keeping.keep()
        keeping.discard()
        assert read_back(sha256_of(b"stays")) == b"stays"

    @pytest.mark.parametrize("use", [lambda keeping: keeping.write(b"x"), lambda keeping: keeping.keep()])
    def test_an_attempt_that_is_over_cannot_be_used(
        self, archive: Archive, use: Callable[[Keeping], object]
    ) -> None:
        keeping = archive.begin(NAME, 1)
        keeping.discard()
        with pytest.raises(DestinationError, match="attempt is over"):
            use(keeping)
        assert archive.has(sha256_of(b"")) is None

    def test_what_dead_attempts_left_is_removed_by_the_next(
        self, archive: Archive, another: Archive, unfinished: Unfinished
    ) -> None:
        for attempt in (1, 2):
            another.begin(NAME, attempt).write(LARGE * 3)
        keep(archive, b"whole", name=NAME, attempt=3)
        assert unfinished() == 0

    def test_what_nobody_touched_since_is_tidied_away(
        self, archive: Archive, another: Archive, unfinished: Unfinished
    ) -> None:
        kept = keep(archive, b"finished")
        for name in ("a", "b"):
            another.begin(name, 1).write(LARGE * 3)
        left = unfinished()
        assert archive.tidy(time.time() - 86_400) == 0
        assert unfinished() == left
        assert archive.tidy(AGES_HENCE) == left
        assert unfinished() == 0
        assert whole(archive, kept.sha256) == b"finished"

    def test_an_attempt_that_was_tidied_away_keeps_nothing_by_halves(
        self, archive: Archive, another: Archive, read_back: ReadBack
    ) -> None:
        keeping = archive.begin(NAME, 1)
        keeping.write(LARGE * 3)
        another.tidy(AGES_HENCE)
        with suppress(DestinationError):
            keeping.write(b"the end")
            keeping.keep()
        assert read_back(keeping.sha256()) in (None, LARGE * 3 + b"the end")
        keeping.discard()

    def test_what_is_removed_is_gone_and_may_be_removed_again(
        self, archive: Archive, another: Archive, read_back: ReadBack
    ) -> None:
        kept, other = keep(archive, b"forget me"), keep(archive, b"not me")
        for one in (another, archive):
            one.remove(kept.sha256)
            assert archive.has(kept.sha256) is None
            assert read_back(kept.sha256) is None
        assert whole(archive, other.sha256) == b"not me"
        assert keep(archive, b"forget me") == kept
        assert whole(archive, kept.sha256) == b"forget me"

    @pytest.mark.parametrize("content", [b"a few bytes", LARGE], ids=["small", "large"])
    def test_a_flipped_byte_is_noticed_at_the_end_of_a_whole_read(
        self, archive: Archive, damage: Damage, content: bytes
    ) -> None:
        kept = keep(archive, content)
        damage(kept.sha256, content[:-1] + bytes([content[-1] ^ 1]))
        assert archive.has(kept.sha256) == kept, "it is not read"
        reading = archive.read(kept.sha256)
        got: list[bytes] = []
        with pytest.raises(ContentDamaged) as raised:
            got.extend(reading)
        assert sum(map(len, got)) == len(content), "told after the last piece"
        assert raised.value.hint
        assert len(b"".join(archive.read(kept.sha256, verify=False))) == len(content), "whoever asks checks"

    @pytest.mark.parametrize(
        "content", [LARGE[:-1], LARGE[:MIB], b"", LARGE + b"x"], ids=["cut", "short", "empty", "long"]
    )
    def test_another_size_is_noticed_and_the_next_attempt_puts_it_right(
        self, archive: Archive, damage: Damage, content: bytes
    ) -> None:
        kept = keep(archive, LARGE)
        damage(kept.sha256, content)
        assert archive.has(kept.sha256) == Kept(kept.sha256, len(content))
        with pytest.raises(ContentDamaged):
            whole(archive, kept.sha256)
        assert keep(archive, LARGE) == kept
        assert whole(archive, kept.sha256) == LARGE

    def test_damage_of_the_same_size_is_put_right_once_it_is_removed(
        self, archive: Archive, damage: Damage
    ) -> None:
        kept = keep(archive, b"right")
        damage(kept.sha256, b"wrong")
        archive.remove(kept.sha256)
        assert keep(archive, b"right") == kept
        assert whole(archive, kept.sha256) == b"right"

    def test_what_is_gone_is_damage_at_once(self, archive: Archive, damage: Damage) -> None:
        kept = keep(archive, b"here")
        damage(kept.sha256, None)
        assert archive.has(kept.sha256) is None
        for sha256 in (kept.sha256, ABSENT):
            for asked in ((), (1, 2), (0, 4)):
                with pytest.raises(ContentDamaged):
                    archive.read(sha256, *asked)

    @pytest.mark.parametrize("asked", [(0, 11), (10, 11), (9, 12), (11, None), (5, 1000), (20, 30)])
    def test_a_range_beyond_the_end_is_damage_at_once(
        self, archive: Archive, asked: tuple[int, int | None]
    ) -> None:
        kept = keep(archive, b"ten bytes.")
        with pytest.raises(ContentDamaged):
            archive.read(kept.sha256, *asked)

    @several
    @given(data=st.data())
    def test_every_range_within_it_is_given(self, archive: Archive, data: st.DataObject) -> None:
        kept = archive.has(sha256_of(LARGE)) or keep(archive, LARGE)  # once for all examples
        start = data.draw(st.integers(0, len(LARGE)) | st.sampled_from([0, MIB - 1, MIB, len(LARGE)]))
        end = data.draw(st.none() | st.integers(start, len(LARGE)) | st.just(min(start + MIB, len(LARGE))))
        pieces = list(archive.read(kept.sha256, start, end))
        assert b"".join(pieces) == LARGE[start:end]
        assert all(0 < len(piece) <= MIB for piece in pieces)

    @several
    @given(chunks=st.lists(st.binary(max_size=300), max_size=12))
    def test_chunks_of_any_size_make_one_content(
        self, archive: Archive, read_back: ReadBack, chunks: list[bytes]
    ) -> None:
        content = b"".join(chunks)
        kept = keep(archive, *chunks)
        assert kept == Kept(sha256_of(content), len(content))
        assert whole(archive, kept.sha256) == read_back(kept.sha256) == content

    def test_reading_may_stop_early(self, archive: Archive) -> None:
        kept = keep(archive, LARGE)
        for pieces_read in range(3):
            reading = archive.read(kept.sha256)
            for _ in range(pieces_read):
                next(reading)
            reading.close()
        assert whole(archive, kept.sha256) == LARGE

    def test_an_older_attempt_that_lives_on_cannot_damage_a_newer_one(
        self, archive: Archive, another: Archive
    ) -> None:
        older, newer = archive.begin(NAME, 1), another.begin(NAME, 2)
        newer.write(b"newer, ")
        older.write(b"older")
        older.discard()
        newer.write(b"whole")
        assert whole(archive, newer.keep().sha256) == b"newer, whole"

    def test_attempts_at_once_with_equal_content_all_succeed(
        self, archive: Archive, another: Archive, read_back: ReadBack, unfinished: Unfinished
    ) -> None:
        keepings = [one.begin(f"twin-{number}", 1) for number, one in enumerate([archive, another] * 4)]
        for at in range(0, len(LARGE), MIB):
            for keeping in keepings:
                keeping.write(LARGE[at : at + MIB])
        with ThreadPoolExecutor(len(keepings)) as pool:
            told = set(pool.map(lambda keeping: keeping.keep(), keepings))
        assert told == {Kept(sha256_of(LARGE), len(LARGE))}
        assert read_back(sha256_of(LARGE)) == LARGE
        assert unfinished() == 0

    @pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:24])
    def test_a_name_that_could_mean_another_place_is_refused(self, archive: Archive, name: str) -> None:
        with pytest.raises(DestinationError) as refused:
            archive.begin(name, 1)
        assert refused.value.retry == NEVER
        assert refused.value.hint

    @pytest.mark.parametrize("text", BAD_HASHES, ids=lambda text: ascii(text)[:24])
    def test_a_hash_that_could_mean_another_place_is_refused(self, archive: Archive, text: str) -> None:
        for use in (archive.has, archive.read, archive.remove):
            with pytest.raises(DestinationError) as refused:
                use(text)
            assert refused.value.retry == NEVER
            assert refused.value.hint
