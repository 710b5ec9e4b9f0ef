"""A breaker stops questions to what keeps failing, and lets one through now and then to see."""

from concurrent.futures import ThreadPoolExecutor

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE, Breakers, Key

GOOGLE: Key = ("default", "google")
XAI: Key = ("default", "x-ai")
NOW = 1_000.0


def broken(failures: int = FAILURES_TO_OPEN) -> Breakers:
    breakers = Breakers()
    for _ in range(failures):
        breakers.failed(GOOGLE, NOW)
    return breakers


def test_it_opens_with_the_fifth_failure_in_a_row() -> None:
    assert broken(FAILURES_TO_OPEN - 1).allows(NOW, GOOGLE)
    assert not broken().allows(NOW, GOOGLE)


def test_one_answer_makes_it_forget() -> None:
    breakers = broken(FAILURES_TO_OPEN - 1)
    breakers.worked(GOOGLE)
    breakers.failed(GOOGLE, NOW)
    assert breakers.allows(NOW, GOOGLE)


def test_a_gateway_that_was_left_alone_and_answers_is_told_of_once() -> None:
    whole, seldom = ("default", None), ("other", None)
    breakers = broken()
    for _ in range(FAILURES_TO_OPEN):
        breakers.failed(whole, NOW)
    breakers.failed(seldom, NOW)
    for key in (whole, seldom, GOOGLE):
        breakers.worked(key)
    assert breakers.came_back() == ["default"], "neither one that was asked all the while, nor a provider"
    assert breakers.came_back() == ["default"], "until it is told"
    breakers.told(["default"])
    assert breakers.came_back() == []


def test_an_answer_that_another_process_got_counts_unless_ours_failed_later() -> None:
    whole = ("default", None)
    breakers = Breakers()
    for _ in range(FAILURES_TO_OPEN):
        breakers.failed(whole, NOW)
    breakers.answered_elsewhere("default", NOW - 1)
    breakers.answered_elsewhere("other", NOW + 1)
    assert not breakers.allows(NOW + 1, whole)
    breakers.answered_elsewhere("default", NOW + 1)
    assert breakers.allows(NOW + 1, whole)
    assert breakers.came_back() == [], "whoever got the answer tells of it"


def test_one_provider_does_not_silence_another() -> None:
    assert broken().allows(NOW, XAI)


def test_after_the_pause_one_question_goes_through_and_its_answer_decides() -> None:
    breakers = broken()
    later = NOW + FIRST_PAUSE
    assert not breakers.allows(later - 0.01, GOOGLE)
    assert breakers.allows(later, GOOGLE)
    assert not breakers.allows(later, GOOGLE), "the next waits for the answer of the first"
    breakers.worked(GOOGLE)
    assert breakers.allows(later, GOOGLE)


def test_a_question_that_never_comes_back_does_not_shut_it_for_ever() -> None:
    breakers = broken()
    assert breakers.allows(NOW + FIRST_PAUSE, GOOGLE)
    assert breakers.allows(NOW + 2 * FIRST_PAUSE, GOOGLE)


def test_the_pause_doubles_up_to_five_minutes() -> None:
    breakers, now, pauses = broken(), NOW, []
    for _ in range(8):
        pause = next(wait for wait in range(1_000) if breakers.allows(now + wait, GOOGLE))
        pauses.append(float(pause))
        now += pause
        breakers.failed(GOOGLE, now)
    assert pauses == [15, 30, 60, 120, 240, 300, 300, LONGEST_PAUSE]


def test_of_many_threads_one_gets_through() -> None:
    breakers = broken()
    with ThreadPoolExecutor(8) as threads:
        allowed = list(threads.map(lambda _: breakers.allows(NOW + FIRST_PAUSE, GOOGLE), range(200)))
    assert sum(allowed) == 1


def test_questions_under_way_when_it_opens_do_not_lengthen_the_pause() -> None:
    breakers = broken()
    for _ in range(100):
        breakers.failed(GOOGLE, NOW)
    assert breakers.wait(NOW, GOOGLE) == FIRST_PAUSE


def test_a_question_that_another_breaker_forbids_uses_up_no_turn() -> None:
    breakers = broken()
    for _ in range(FAILURES_TO_OPEN):
        breakers.failed(XAI, NOW + 1)
    assert not breakers.allows(NOW + FIRST_PAUSE, GOOGLE, XAI)
    assert breakers.allows(NOW + FIRST_PAUSE, GOOGLE)


def test_whoever_must_wait_tries_again_soon_however_long_the_pause_has_become() -> None:
    breakers, now = broken(), NOW
    for pause in (15, 30, 60):
        now += pause
        assert breakers.allows(now, GOOGLE)
        breakers.failed(GOOGLE, now)
    assert not breakers.allows(now + 119, GOOGLE)
    assert breakers.wait(now, GOOGLE) == FIRST_PAUSE
    assert breakers.wait(now + 110, GOOGLE) == 10
