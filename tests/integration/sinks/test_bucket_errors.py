"""What obstore raises is told in words, without a word of its own: there are tokens in its texts."""

import pytest
from obstore import exceptions

from orchestrator.errors import DestinationError
from orchestrator.sinks.object_errors import ask

URL = "https://account.blob.core.windows.net/c/k?sp=rw&sig=SECRET"
SENT = f"Generic GCS error: Error performing PUT {URL} in 2.1s - HTTP error: error sending request"
ANSWERED = f"Error performing PUT {URL} in 2ms - Server returned non-2xx status code:"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.GenericError(f"{SENT} kind: Timeout, source: TimedOut"), "no answer came in time"),
        (exceptions.GenericError(f"{SENT} kind: Connect, source: Refused"), "the store cannot be reached"),
        (exceptions.GenericError(f'{SENT} kind: Connect, "dns error"'), "its host cannot be resolved"),
        (exceptions.GenericError(f"{SENT} kind: Connect, invalid peer certificate"), "is not trusted"),
        (OSError(SENT), "the store cannot be reached, or gave no answer"),
        (
            exceptions.GenericError(f"Error performing token request: {ANSWERED} 403 Forbidden"),
            "no credentials",
        ),
        (exceptions.UnauthenticatedError("External credential provider: SECRET"), "credentials are refused"),
        (
            exceptions.GenericError(f"{ANSWERED} 401 Unauthorized: SECRET"),
            "credentials are refused (HTTP 401)",
        ),
        (
            exceptions.PermissionDeniedError(f"{ANSWERED} 403 Forbidden: <Code>AccessDenied</Code>SECRET"),
            "permission denied (HTTP 403, AccessDenied)",
        ),
        (
            exceptions.GenericError(f"{ANSWERED} 301 Moved: <Code>PermanentRedirect</Code>"),
            "the bucket is in another region, or at another address (HTTP 301, PermanentRedirect)",
        ),
        (
            exceptions.GenericError(f"{ANSWERED} 503 Busy: <Code>SlowDown</Code>"),
            "asks to be called less often (HTTP 503, SlowDown)",
        ),
        (
            exceptions.GenericError(f"{ANSWERED} 500 Oh: <Code>SECRET-AND-LONG{'x' * 99}</Code>"),
            "did not answer as such a store does (HTTP 500)",
        ),
        (
            exceptions.PreconditionError(f"{ANSWERED} 412 Precondition Failed"),
            "was replaced while it was read",
        ),
        (ValueError("something new, SECRET"), "did not answer as such a store does"),
    ],
)
def test_words_and_hints(error: Exception, said: str) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(DestinationError) as raised:
        ask("write", "az://c/k", fail)
    assert said in raised.value.message
    assert raised.value.message.startswith("cannot write az://c/k: ")
    assert raised.value.hint
    assert raised.value.retry.again
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert "SECRET" not in f"{raised.value.message} {raised.value.hint} {raised.value.preview}"


def test_what_is_no_error_of_a_store_is_not_taken_for_one() -> None:
    with pytest.raises(ZeroDivisionError):
        ask("write", "az://c/k", lambda: 1 // 0)
