"""Keys of objects: whatever the values are, a key stays below its prefix, and no two names share one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sinks import Parcel
from orchestrator.sinks.keys import FACTS, LONGEST_KEY, metadata, parse

hostile = (
    st.text(max_size=40) | st.text(alphabet="./\\%~é\0\n-", max_size=8) | st.sampled_from(["..", ".", "%2F"])
)
facts = st.dictionaries(st.sampled_from(FACTS), hostile)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", fullmatch=True)
templates = st.sampled_from(
    [
        "{name}",
        "{tenant}/{reference}/{name}",
        "{date}/{model}.{reference}/{reference}{name}",
        "a/{reference}={name}",
    ]
)


def key(template: str, name: str = "n", **facts: str) -> str:
    return parse(template).key(Parcel(name, facts=facts))


@given(template=templates, name=names, facts=facts)
def test_no_value_adds_a_segment_or_means_another_place(
    template: str, name: str, facts: dict[str, str]
) -> None:
    made = key(template, name, **facts)
    segments = made.split("/")
    assert len(segments) == len(template.split("/"))
    assert all(re.fullmatch(r"[A-Za-z0-9_=%-][A-Za-z0-9_.=%-]*", segment) for segment in segments)
    assert len(made) <= LONGEST_KEY
    assert made.endswith(name)


@given(template=templates, name=names, other=names, facts=facts)
def test_two_names_never_share_a_key(template: str, name: str, other: str, facts: dict[str, str]) -> None:
    assert (key(template, name, **facts) == key(template, other, **facts)) is (name == other)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("order-17", "order-17"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        (".hidden.", "%2Ehidden%2E"),
        ("", "-"),
        ("50 % é~", "50%20%25%20%C3%A9%7E"),
        ("%2e%2e%2f", "%252e%252e%252f"),
        ("\udcff", "%3F"),
        ("é" * 50, "%C3%A9" * 16),
    ],
)
def test_values_are_shown_as_they_are_or_percent_encoded(value: str, shown: str) -> None:
    assert key("{reference}/{name}", reference=value) == f"{shown}/n"


def test_a_fact_that_is_not_known_is_a_dash() -> None:
    assert key("{sha256}/{name}") == "-/n"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "has no {name}"),
        ("{date}/x", "has no {name}"),
        ("{nam}", "unknown field: there are name, tenant, job_id"),
        ("{name.__class__}", "unknown field"),
        ("{name[0]}", "unknown field"),
        ("{}{name}", "unknown field"),
        ("{0}{name}", "unknown field"),
        ("{name!r}", "more than a name in its braces"),
        ("{name:>9}", "more than a name in its braces"),
        ("{name", "expected '}'"),
        ("/{name}", "part between slashes"),
        ("{name}/", "part between slashes"),
        ("a//{name}", "part between slashes"),
        ("../{name}", "part between slashes"),
        ("a/./{name}", "part between slashes"),
        (".unfinished/{name}", "part between slashes"),
        ("{name}.", "part between slashes"),
        ("a b/{name}", "part between slashes"),
        ("é/{name}", "part between slashes"),
        ("%2E%2E/{name}", "part between slashes"),
        ("a\n/{name}", "part between slashes"),
        ("{{x}}/{name}", "part between slashes"),
        ("x" * 900 + "/{name}", "makes keys of up to"),
        ("{reference}" * 10 + "{name}", "makes keys of up to"),
    ],
)
def test_a_template_that_cannot_make_safe_keys_is_refused(template: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse(template)


@given(facts=facts, sha256=st.none() | st.just("0" * 64), content_type=st.text(max_size=30))
def test_metadata_is_printable_ascii_and_fits_s3(
    facts: dict[str, str], sha256: str | None, content_type: str
) -> None:
    told = metadata(Parcel("n", content_type, facts=facts), sha256)
    assert all(re.fullmatch(r"[!-~ ]+", value) for value in told.values())
    assert sum(len(name) + len(value) for name, value in told.items()) < 2048
    assert set(told) <= {"Content-Type", "job", *FACTS}
    assert not any("_" in name for name in told)
    if sha256:
        assert told["sha256"] == sha256


def test_a_content_type_that_is_none_is_not_passed_on() -> None:
    assert metadata(Parcel("n", "video/mp4"), None)["Content-Type"] == "video/mp4"
    assert (
        metadata(Parcel("n", "text/plain; charset=utf-8"), None)["Content-Type"]
        == "text/plain; charset=utf-8"
    )
    assert metadata(Parcel("n", "video/mp4\r\nx: y"), None)["Content-Type"] == "application/octet-stream"
