"""What every sink promises, as tests; a sink's own test file subclasses `SinkConformance`.

It gives two fixtures: `sink`, an empty destination, and `read_back(name)`, what a reader of the destination
gets under a name (None if nothing), found without the sink.

A sink that nobody can ask what it has, whose reader is the one to know what came twice, subclasses
`UnaskedConformance`, which is the part of it that does not need `find`.
"""

import hashlib
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import NEVER, DestinationError
from orchestrator.sinks import Delivered, Parcel, Sink, Staging

ReadBack = Callable[[str], bytes | None]

NAME = "job_01-0.mp4"
BAD_NAMES = [
    "",
    ".",
    "..",
    "/etc/passwd",
    "../escaped",
    "a/../../b",
    "a/b",
    "a\\b",
    ".hidden",
    "-option",
    "a\0b",
    "a\nb",
    "name\n",
    "a b",
    "é.mp4",
    "\udcff",
    "x" * 201,
    "x" * 5000,
]

_numbers = count()
several = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)


def fresh_name() -> str:
    """A name of its own for each example that hypothesis makes in one destination."""
    return f"example-{next(_numbers)}.mp4"


def parcel(name: str) -> Parcel:
    """A thing of this name, about which nothing else is known."""
    return Parcel(name)


def deliver(sink: Sink, name: str, attempt: int, *chunks: bytes) -> Delivered:
    staging = sink.stage(parcel(name), attempt)
    for chunk in chunks:
        staging.write(chunk)
    return staging.publish()


def assert_is(delivered: Delivered | None, content: bytes) -> None:
    assert delivered is not None
    assert (delivered.bytes, delivered.sha256) == (len(content), hashlib.sha256(content).hexdigest())


class UnaskedConformance:
    """Also of sinks that cannot find what they published."""

    def thing(self, text: str) -> bytes:
        """What to write to deliver this text."""
        return text.encode()

    def received(self, thing: bytes) -> bytes:
        """What a reader gets when this was written."""
        return thing

    def test_a_new_destination_can_be_checked_and_has_nothing(self, sink: Sink, read_back: ReadBack) -> None:
        sink.check()
        sink.check()
        assert sink.find(parcel(NAME)) is None
        assert read_back(NAME) is None

    def test_nothing_is_seen_before_it_is_published(self, sink: Sink, read_back: ReadBack) -> None:
        staging = sink.stage(parcel(NAME), 1)
        staging.write(b"half")
        assert sink.find(parcel(NAME)) is None
        assert read_back(NAME) is None
        staging.discard()

    def test_what_is_published_is_read_as_it_was_told(self, sink: Sink, read_back: ReadBack) -> None:
        thing = self.thing("one, two")
        told = deliver(sink, NAME, 1, thing[:5], b"", thing[5:])
        assert_is(told, self.received(thing))
        assert read_back(NAME) == self.received(thing)

    def test_the_hash_is_known_before_it_is_published(self, sink: Sink, read_back: ReadBack) -> None:
        thing = self.thing("one, two")
        staging = sink.stage(parcel(NAME), 1)
        staging.write(thing[:5])
        staging.write(thing[5:])
        assert staging.sha256() == hashlib.sha256(self.received(thing)).hexdigest()
        assert read_back(NAME) is None
        assert staging.publish().sha256 == staging.sha256()

    def test_publishing_twice_tells_the_same(self, sink: Sink) -> None:
        staging = sink.stage(parcel(NAME), 1)
        staging.write(self.thing("once"))
        assert staging.publish() == staging.publish()

    def test_a_reader_keeps_the_first_to_publish(self, sink: Sink, read_back: ReadBack) -> None:
        deliver(sink, NAME, 1, self.thing("first"))
        deliver(sink, NAME, 2, self.thing("another content"))
        assert read_back(NAME) == self.received(self.thing("first"))

    def test_names_do_not_disturb_each_other(self, sink: Sink, read_back: ReadBack) -> None:
        names = ["a", "a.1", "a.1.part", "a.part", "b"]
        stagings = {name: sink.stage(parcel(name), 1) for name in names}
        for name, staging in stagings.items():
            staging.write(self.thing(name))
            sink.stage(parcel(name), 0).discard()
        for staging in stagings.values():
            staging.publish()
        assert [read_back(name) for name in names] == [self.received(self.thing(name)) for name in names]

    def test_discarding_leaves_nothing_and_may_be_done_again(self, sink: Sink, read_back: ReadBack) -> None:
        staging = sink.stage(parcel(NAME), 1)
        staging.write(b"unwanted")
        staging.discard()
        staging.discard()
        assert sink.find(parcel(NAME)) is None
        assert_is(deliver(sink, NAME, 2, self.thing("wanted")), self.received(self.thing("wanted")))
        assert read_back(NAME) == self.received(self.thing("wanted"))

    def test_discarding_after_publishing_takes_nothing_back(self, sink: Sink, read_back: ReadBack) -> None:
        staging = sink.stage(parcel(NAME), 1)
        staging.write(self.thing("stays"))
        staging.publish()
        staging.discard()
        assert read_back(NAME) == self.received(self.thing("stays"))

    @pytest.mark.parametrize("use", [lambda staging: staging.write(b"x"), lambda staging: staging.publish()])
    def test_an_attempt_that_is_over_cannot_be_used(
        self, sink: Sink, read_back: ReadBack, use: Callable[[Staging], object]
    ) -> None:
        staging = sink.stage(parcel(NAME), 1)
        staging.discard()
        with pytest.raises(DestinationError, match="attempt is over"):
            use(staging)
        assert read_back(NAME) is None

    def test_an_older_attempt_that_lives_on_cannot_damage_a_newer_one(
        self, sink: Sink, read_back: ReadBack
    ) -> None:
        thing = self.thing("newer, whole")
        older, newer = sink.stage(parcel(NAME), 1), sink.stage(parcel(NAME), 2)
        newer.write(thing[:7])
        older.write(b"older")
        older.discard()
        newer.write(thing[7:])
        assert_is(newer.publish(), self.received(thing))
        assert read_back(NAME) == self.received(thing)

    @pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:24])
    def test_a_name_that_could_mean_another_place_is_refused(self, sink: Sink, name: str) -> None:
        for use in (lambda: sink.find(parcel(name)), lambda: sink.stage(parcel(name), 1)):
            with pytest.raises(DestinationError) as refused:
                use()
            assert refused.value.retry == NEVER
            assert refused.value.hint


class SinkConformance(UnaskedConformance):
    def test_what_is_published_is_found_as_it_was_told(self, sink: Sink, read_back: ReadBack) -> None:
        told = deliver(sink, NAME, 1, b"one, ", b"", b"two")
        assert_is(told, b"one, two")
        assert sink.find(parcel(NAME)) == told
        assert read_back(NAME) == b"one, two"

    def test_a_thing_may_be_empty(self, sink: Sink, read_back: ReadBack) -> None:
        assert_is(deliver(sink, NAME, 1), b"")
        assert read_back(NAME) == b""

    def test_the_first_to_publish_stays(self, sink: Sink, read_back: ReadBack) -> None:
        first = deliver(sink, NAME, 1, b"first")
        assert deliver(sink, NAME, 2, b"another content") == first
        assert read_back(NAME) == b"first"

    @several
    @given(chunks=st.lists(st.binary(max_size=300), max_size=12))
    def test_chunks_of_any_size_make_one_thing(
        self, sink: Sink, read_back: ReadBack, chunks: list[bytes]
    ) -> None:
        name = fresh_name()
        assert_is(deliver(sink, name, 1, *chunks), b"".join(chunks))
        assert read_back(name) == b"".join(chunks)

    @several
    @given(
        steps=st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from(["stage", "write", "publish", "discard", "find"])),
            max_size=25,
        )
    )
    def test_whatever_attempts_do_readers_see_nothing_or_the_first_whole_thing(
        self, sink: Sink, read_back: ReadBack, steps: list[tuple[int, str]]
    ) -> None:
        attempts = _Attempts(sink, fresh_name())
        for attempt, step in steps:
            attempts.take(attempt, step)
            assert read_back(attempts.name) == attempts.published
        attempts.end()
        expected = b"the last" if attempts.published is None else attempts.published
        assert_is(deliver(sink, attempts.name, 100, b"the last"), expected)


class _Attempts:
    """Some attempts at one name, and what a reader must see after each of their steps."""

    def __init__(self, sink: Sink, name: str) -> None:
        self.name = name
        self.published: bytes | None = None
        self._sink = sink
        self._stagings: dict[int, Staging] = {}
        self._written: dict[int, bytes] = {}

    def take(self, attempt: int, step: str) -> None:
        if step == "find":
            self._expect(self._sink.find(parcel(self.name)))
        elif (step == "stage") is (attempt not in self._stagings):
            getattr(self, f"_{step}")(attempt)

    def end(self) -> None:
        for staging in self._stagings.values():
            staging.discard()

    def _stage(self, attempt: int) -> None:
        self._stagings[attempt] = self._sink.stage(parcel(self.name), attempt)
        self._written[attempt] = b""

    def _write(self, attempt: int) -> None:
        chunk = bytes([65 + attempt]) * 100
        try:
            self._stagings[attempt].write(chunk)
        except DestinationError:
            return  # it was discarded, or has published
        self._written[attempt] += chunk

    def _publish(self, attempt: int) -> None:
        try:
            delivered = self._stagings[attempt].publish()
        except DestinationError:
            return  # it was discarded, or a newer attempt has taken over
        if self.published is None:
            self.published = self._written[attempt]
        self._expect(delivered)

    def _discard(self, attempt: int) -> None:
        self._stagings[attempt].discard()

    def _expect(self, delivered: Delivered | None) -> None:
        if self.published is None:
            assert delivered is None
        else:
            assert_is(delivered, self.published)
