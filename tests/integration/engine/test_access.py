"""Who calls: what the guard believes, for how long, and what it never says."""

import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.core.access import Scope
from orchestrator.core.keys import Kind, Presented
from orchestrator.engine import granting
from orchestrator.engine.access import BELIEVED, REMEMBERED, Guard
from orchestrator.errors import Forbidden, NotFound, RequestError, Unauthorized
from orchestrator.store import schema, tenants
from orchestrator.store.database import Store
from orchestrator.store.schema import DEFAULT
from tests.integration.store.rows import Clock, a_job, keep
from tests.migrated import put_migrated

HOUR = 3_600.0


@pytest.fixture
def clock() -> Clock:
    """The database's clock and the guards': a test tells both."""
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    put_migrated(tmp_path / "orchestrator.db")
    store = Store(f"sqlite:///{tmp_path}/orchestrator.db", clock=clock)
    yield store
    store.close()


@pytest.fixture
def guard(store: Store, clock: Clock) -> Iterator[Guard]:
    guard = Guard(store, clock, secrets.token_bytes)
    yield guard
    guard.close()


def a_key(store: Store, *scopes: Scope, lasts: float | None = None) -> tuple[str, str]:
    """Its id and what is shown."""
    key, whole = granting.make_key(
        store, secrets.token_bytes, DEFAULT, name="k", scopes=scopes or (Scope.READ,), lasts=lasts
    )
    return key.id, whole.get_secret_value()


def a_token(store: Store, *, lasts: float = HOUR, **whose: str) -> tuple[str, str]:
    token, whole = granting.make_token(
        store, secrets.token_bytes, DEFAULT, lasts=lasts, **(whose or {"end_user": "u"})
    )
    return token.id, whole.get_secret_value()


def a_session(store: Store, *, lasts: float | None = None) -> tuple[str, str]:
    """Of a key that lasts so long."""
    key_id, _ = a_key(store, lasts=lasts)
    shown = granting.begin_session(store, secrets.token_bytes, key_id).get_secret_value()
    return shown.split("_")[1], shown


Shown = Callable[..., tuple[str, str]]
SHOWN: dict[Kind, Shown] = {Kind.KEY: a_key, Kind.TOKEN: a_token, Kind.SESSION: a_session}


def noted(guard: Guard) -> None:
    """Wait until it has noted what it wanted to."""
    guard._aside.submit(lambda: None).result()


def test_a_key_says_whose_it_is_and_what_it_may(store: Store, guard: Guard) -> None:
    key_id, shown = a_key(store, Scope.READ, Scope.SUBMIT)
    caller = guard.identify(shown, Kind.KEY)
    assert (caller.id, caller.tenant_id, caller.name) == (key_id, DEFAULT, "k")
    assert caller.scopes == {Scope.READ, Scope.SUBMIT}
    assert not caller.by_token


def test_a_token_reads_one_job_or_those_of_one_end_user(store: Store, guard: Guard) -> None:
    keep(store, a_job("job_1"))
    _, for_job = a_token(store, job_id="job_1")
    _, for_user = a_token(store, end_user="u")
    one, other = guard.identify(for_job, Kind.TOKEN), guard.identify(for_user, Kind.TOKEN)
    assert (one.job_id, one.end_user, one.scopes) == ("job_1", None, frozenset({Scope.READ}))
    assert (other.job_id, other.end_user) == (None, "u")
    assert one.by_token


def test_a_revoked_key_is_refused_after_a_few_seconds_by_a_guard_that_knew_it(
    store: Store, guard: Guard, clock: Clock
) -> None:
    key_id, shown = a_key(store)
    guard.identify(shown, Kind.KEY)
    granting.revoke_key(store, key_id)
    clock.now += BELIEVED
    with pytest.raises(Unauthorized, match="was revoked"):
        guard.identify(shown, Kind.KEY)


def test_a_key_in_use_is_asked_for_again_all_the_same(store: Store, guard: Guard, clock: Clock) -> None:
    key_id, shown = a_key(store)
    guard.identify(shown, Kind.KEY)
    granting.revoke_key(store, key_id)
    for _ in range(4):  # each use within the time that the one before is believed
        clock.now += BELIEVED / 5
        guard.identify(shown, Kind.KEY)
    clock.now += BELIEVED / 5
    with pytest.raises(Unauthorized):
        guard.identify(shown, Kind.KEY)


@pytest.mark.parametrize("kind", list(Kind))
def test_what_expires_is_refused_at_that_moment_though_it_was_just_believed(
    kind: Kind, store: Store, guard: Guard, clock: Clock
) -> None:
    _, shown = SHOWN[kind](store, lasts=HOUR)
    clock.now += HOUR - 1
    guard.identify(shown, kind)
    clock.now += 1
    with pytest.raises(Unauthorized, match="has expired"):
        guard.identify(shown, kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_an_unknown_id_and_a_wrong_secret_take_the_same_path_and_get_the_same_words(
    kind: Kind, store: Store, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, shown = SHOWN[kind](store)
    wrong = shown[:-43] + "A" * 43
    unknown = shown.replace(own, "a" * 16)
    compared: list[tuple[str, bool]] = []
    real = Presented.proves

    def proves(self: Presented, kept: bytes | None) -> bool:
        compared.append((self.id, kept is None))
        return real(self, kept)

    monkeypatch.setattr(Presented, "proves", proves)
    said = []
    for one in (wrong, unknown):
        with pytest.raises(Unauthorized) as refused:
            guard.identify(one, kind)
        said.append((refused.value.message, refused.value.hint))
    assert compared == [(own, False), ("a" * 16, True)]
    assert said[0] == said[1]


def test_a_wrong_secret_of_an_ended_key_does_not_learn_that_it_ended(store: Store, guard: Guard) -> None:
    key_id, shown = a_key(store)
    granting.revoke_key(store, key_id)
    with pytest.raises(Unauthorized, match="known here"):
        guard.identify(shown[:-43] + "A" * 43, Kind.KEY)


def test_strangers_are_not_remembered_and_callers_only_so_many(store: Store, guard: Guard) -> None:
    _, shown = a_key(store)
    for number in range(50):
        with pytest.raises(Unauthorized):
            guard.identify(shown[:-2] + f"{number:02}", Kind.KEY)
    assert len(guard._known) == 0
    guard.identify(shown, Kind.KEY)
    one = next(iter(guard._known.values()))
    for number in range(REMEMBERED + 10):
        guard._remember(f"{number}".encode(), one)
    assert len(guard._known) == REMEMBERED


def test_nothing_that_was_shown_is_kept_in_the_guard_or_the_database(
    store: Store, guard: Guard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [SHOWN[kind](store)[1] for kind in Kind]
    for one, kind in zip(shown, Kind, strict=True):
        guard.identify(one, kind)
        with pytest.raises(Unauthorized) as refused:
            guard.identify(one[:-1] + ("A" if one[-1] != "A" else "B"), kind)
        assert one[21:] not in repr(refused.value) + refused.value.hint
    noted(guard)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    held = repr(guard) + repr(guard._known) + caplog.text + repr([vars(one) for one in caplog.records])
    for one in shown:
        assert one[21:-1].encode() not in kept
        assert one[21:-1] not in held


def test_the_use_of_a_key_is_noted_once_a_minute_at_most(store: Store, clock: Clock) -> None:
    key_id, shown = a_key(store)
    seen = []
    for later in (0.0, 30.0, 29.0, 1.0):
        clock.now += later
        guard = Guard(store, clock, secrets.token_bytes)
        guard.identify(shown, Kind.KEY)
        noted(guard)
        guard.close()
        seen.append(granting.list_keys(store)[0].last_used_at)
    began = clock.now - 60
    assert [one and one - began for one in seen] == [0, 0, 0, 60]
    assert granting.list_keys(store)[0].id == key_id


def test_a_guard_of_a_stopping_process_still_says_who_calls(store: Store, guard: Guard) -> None:
    key_id, shown = a_key(store)
    guard.close()
    assert guard.identify(shown, Kind.KEY).id == key_id


def test_whoever_listens_on_is_known_to_have_lost_their_key(store: Store, guard: Guard, clock: Clock) -> None:
    keep(store, a_job("job_1"))
    key_id, shown = a_key(store)
    token_id, given = a_token(store, job_id="job_1", lasts=HOUR)
    key, token = guard.identify(shown, Kind.KEY), guard.identify(given, Kind.TOKEN)
    assert guard.still_good(key)
    assert guard.still_good(token)
    granting.revoke_key(store, key_id)
    clock.now += HOUR
    assert not guard.still_good(key)
    assert not guard.still_good(token)
    with pytest.raises(NotFound):
        granting.revoke_token(store, token_id, "other")
    granting.revoke_token(store, token_id, DEFAULT)
    assert not guard.still_good(token)


def test_a_key_makes_none_that_may_do_more_than_itself(store: Store, guard: Guard) -> None:
    maker = guard.identify(a_key(store, Scope.ADMIN, Scope.READ)[1], Kind.KEY)
    made, _ = granting.make_key(
        store, secrets.token_bytes, DEFAULT, name="less", scopes={Scope.READ}, maker=maker
    )
    assert made.scopes == {Scope.READ}
    with pytest.raises(Forbidden, match="operate, submit"):
        granting.make_key(
            store,
            secrets.token_bytes,
            DEFAULT,
            name="more",
            scopes={Scope.SUBMIT, Scope.OPERATE, Scope.READ},
            maker=maker,
        )


def test_a_key_of_another_tenant_is_not_there(store: Store) -> None:
    key_id, _ = a_key(store)
    with pytest.raises(NotFound, match=f"there is no key {key_id}"):
        granting.revoke_key(store, key_id, tenant_id="other")
    assert granting.list_keys(store, "other") == []
    assert granting.list_keys(store, DEFAULT)[0].revoked_at is None


def test_a_key_that_was_revoked_twice_says_when_it_was_first(store: Store, clock: Clock) -> None:
    key_id, _ = a_key(store)
    first = granting.revoke_key(store, key_id).revoked_at
    clock.now += 10
    assert granting.revoke_key(store, key_id).revoked_at == first


def test_a_token_for_a_job_of_another_tenant_is_refused_as_if_there_were_none(store: Store) -> None:
    with store.write() as tx:
        assert tenants.add_once(tx, "other")
    keep(store, a_job("job_1"))
    said = []
    for job_id in ("job_1", "job_2"):
        with pytest.raises(NotFound) as refused:
            granting.make_token(store, secrets.token_bytes, "other", lasts=HOUR, job_id=job_id)
        said.append((refused.value.message.replace(job_id, "?"), refused.value.hint))
    assert said[0] == said[1]


@pytest.mark.parametrize("whose", [{}, {"job_id": "job_1", "end_user": "u"}, {"end_user": "\x00"}])
def test_a_token_is_for_exactly_one(store: Store, whose: dict[str, str]) -> None:
    with pytest.raises(RequestError):
        granting.make_token(store, secrets.token_bytes, DEFAULT, lasts=HOUR, **whose)


def test_tokens_end_with_their_job(store: Store, guard: Guard) -> None:
    keep(store, a_job("job_1"))
    _, shown = a_token(store, job_id="job_1")
    caller = guard.identify(shown, Kind.TOKEN)
    with store.write() as tx:
        tx.execute(schema.jobs.delete())
    assert not guard.still_good(caller)
