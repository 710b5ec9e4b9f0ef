"""A sink that is built when it is first used: as the sink it stands for, for as long as somebody needs it."""

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from orchestrator.core.redaction import MASK, Redactor
from orchestrator.errors import LATER, DestinationError, DestinationGone, Retry, SettingError
from orchestrator.sinks import Delivered, Parcel, Sink
from orchestrator.sinks.folder import FolderSink
from orchestrator.sinks.when_needed import Built, SinkWhenNeeded, redacted
from tests.integration.sinks.conformance import ReadBack, SinkConformance
from tests.kinds import Leaky, Noted
from tests.patience import LONG

CANARY = "canary-5eCr3t"


def noted() -> Noted:
    return Noted(Noted.Options(label="x"))


def when_needed(build: Callable[[], Sink]) -> SinkWhenNeeded:
    return SinkWhenNeeded("there", takes_files=False, build=lambda: Built(build(), Redactor([CANARY])))


def leaky(how: str) -> SinkWhenNeeded:
    return when_needed(lambda: Leaky(how, SecretStr(CANARY).get_secret_value()))


class TestWhenNeeded(SinkConformance):
    """The folder through it is as the folder."""

    @pytest.fixture
    def sink(self, folder: Path) -> Sink:
        build = lambda: Built(FolderSink(folder), Redactor([CANARY]))  # noqa: E731
        made = cast("Sink", SinkWhenNeeded("there", takes_files=True, build=build))
        made.check()
        return made

    @pytest.fixture
    def read_back(self, folder: Path) -> ReadBack:
        return lambda name: (folder / name).read_bytes() if (folder / name).exists() else None


def test_it_is_built_once_and_only_when_it_is_used() -> None:
    made: list[Noted] = []

    def build() -> Noted:
        made.append(noted())
        return made[-1]

    sink = when_needed(build)
    assert not made
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: sink.check(), range(40)))
    assert [one.checked for one in made] == [40]


def test_one_that_cannot_be_built_fails_that_use_and_the_next_one_tries_again() -> None:
    broken = [SettingError("the variable X is not set", hint="set it")]

    def build() -> Noted:
        if broken:
            raise broken.pop()
        return noted()

    sink = when_needed(build)
    with pytest.raises(DestinationError, match="the variable X is not set") as failed:
        sink.find(Parcel("a"))
    assert (failed.value.hint, failed.value.retry) == ("set it", LATER)
    assert sink.find(Parcel("a")) is None


def test_closed_while_nobody_uses_it_it_is_closed_at_once_and_begins_nothing_more() -> None:
    real = noted()
    sink = when_needed(lambda: real)
    sink.check()
    sink.close()
    sink.close()
    assert real.closed == 1
    for use in (sink.check, lambda: sink.find(Parcel("a")), lambda: sink.stage(Parcel("a"), 1)):
        with pytest.raises(DestinationError, match="was changed, removed or closed") as refused:
            use()
        assert refused.value.retry == LATER


def test_one_that_was_never_used_is_not_built_to_be_closed() -> None:
    when_needed(lambda: pytest.fail("it was built")).close()


@pytest.mark.parametrize("end", ["publish", "discard"])
def test_closed_under_way_it_ends_what_was_begun_first(end: str) -> None:
    real = noted()
    sink = when_needed(lambda: real)
    staging = sink.stage(Parcel("a"), 1)
    other = sink.stage(Parcel("b"), 1)
    sink.close()
    staging.write(b"x")
    getattr(staging, end)()
    staging.discard()
    before = real.closed
    other.discard()
    assert (before, real.closed) == (0, 1)
    assert ("a" in real.there) is (end == "publish")


def test_closed_in_the_middle_of_a_call_it_is_closed_after_it() -> None:
    began, go_on, real = threading.Event(), threading.Event(), noted()

    def find(parcel: Parcel) -> Delivered | None:
        began.set()
        assert go_on.wait(LONG)
        assert not real.closed
        return None

    real.find = find  # type: ignore[method-assign]
    sink = when_needed(lambda: real)
    finding = threading.Thread(target=lambda: sink.find(Parcel("a")))
    finding.start()
    assert began.wait(LONG)
    sink.close()
    before = real.closed
    go_on.set()
    finding.join(LONG)
    assert (before, real.closed) == (0, 1)


@pytest.mark.parametrize("how", ["error", "bug", "cause"])
@pytest.mark.parametrize(
    "use",
    [lambda sink: sink.check(), lambda sink: sink.find(Parcel("a")), lambda sink: sink.stage(Parcel("a"), 1)],
    ids=["check", "find", "stage"],
)
def test_whatever_fails_there_is_told_without_the_secret(how: str, use: Callable[[Sink], Any]) -> None:
    with pytest.raises(DestinationError) as failed:
        use(cast("Sink", leaky(how)))
    assert CANARY not in told_of(failed.value)
    assert MASK in told_of(failed.value) or how == "cause"


def test_what_fails_in_the_last_step_is_told_without_the_secret() -> None:
    staging = leaky("late").stage(Parcel("a"), 1)
    staging.write(b"x")
    with pytest.raises(DestinationError) as failed:
        staging.publish()
    assert CANARY not in told_of(failed.value)


def test_a_location_is_told_without_the_secret() -> None:
    real = noted()
    real._told = lambda name: Delivered(f"https://h/{name}?key={CANARY}", 1, "")  # type: ignore[method-assign]
    staging = when_needed(lambda: real).stage(Parcel("a"), 1)
    assert staging.publish().location == f"https://h/a?key={MASK}"


def test_an_error_that_can_be_retried_is_still_that_kind_of_error_afterwards() -> None:
    def refuse() -> None:
        raise DestinationGone(f"410 {CANARY}", retry=Retry(True, 7), status=410, preview=f"x{CANARY}x")

    with pytest.raises(DestinationGone) as refused:
        redacted(Redactor([CANARY]), "there", refuse)
    assert (refused.value.retry, refused.value.status) == (Retry(True, 7), 410)
    assert refused.value.preview == f"x{MASK}x"


def test_an_error_without_a_secret_stays_the_one_it_is() -> None:
    bug = KeyError("something else")

    def break_() -> None:
        raise bug

    with pytest.raises(KeyError) as broke:
        redacted(Redactor([CANARY]), "there", break_)
    assert broke.value is bug


def test_nothing_of_it_shows_the_secret_when_it_is_printed() -> None:
    sink = leaky("error")
    staging = when_needed(noted).stage(Parcel("a"), 1)
    assert CANARY not in f"{sink!r} {staging!r} {sink._build!r} {Redactor([CANARY])!r}"


def told_of(error: BaseException) -> str:
    """All that anybody could print of an error and of what led to it."""
    chain = [error, error.__cause__, error.__context__]
    parts = [f"{one!r} {one} {vars(one)}" for one in chain if one is not None]
    return "\n".join([*parts, *traceback.format_exception(error)])
