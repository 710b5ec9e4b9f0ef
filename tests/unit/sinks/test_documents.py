"""The pages about destinations say what the code has."""

import re
from pathlib import Path

from orchestrator import __version__
from orchestrator.sinks.addresses import METADATA, SPECIAL
from orchestrator.sinks.calls import BODY_LIMIT, BODY_SECONDS, PREVIEW
from orchestrator.sinks.webhook import DOCUMENT_LIMIT, PROBE
from orchestrator.sinks.webhook_options import WebhookOptions

DOCS = Path(__file__).parents[3] / "docs"
SAFETY = (DOCS / "reference" / "network-safety.md").read_text()
GUIDE = (DOCS / "how-to" / "receive-signed-calls.md").read_text()


def test_every_range_is_on_the_page_and_no_other() -> None:
    rows = re.findall(r"^\| `([0-9a-f:./]+)` \| (.+) \| (.+) \|$", SAFETY, re.MULTILINE)
    assert rows == [(str(one.network), one.words, one.source) for one in [*SPECIAL, *METADATA]]


def test_every_option_of_a_receiver_is_in_the_guide_and_no_other() -> None:
    assert set(re.findall(r"^\| `([a-z_]+)` \|", GUIDE, re.MULTILINE)) == set(WebhookOptions.model_fields)


def test_the_numbers_of_a_call_are_those_in_force() -> None:
    timeout = WebhookOptions.model_fields["timeout_seconds"]
    assert f"{timeout.default:g} unless set, 30 at most" in GUIDE
    assert f"at most {DOCUMENT_LIMIT // 1024 + 1} KiB" in GUIDE
    assert f"first {PREVIEW} characters" in GUIDE
    assert f"`{PROBE}`" in GUIDE
    safety = " ".join(SAFETY.split())  # without the ends of lines
    assert f"at most {BODY_SECONDS:g} s of that remain for the body" in safety
    assert f"of which at most {BODY_LIMIT // 1024} KiB are read" in safety
    assert f"hybrid-job-orchestrator/{__version__}" in GUIDE
