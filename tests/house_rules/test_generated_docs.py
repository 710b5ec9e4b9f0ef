"""The reference pages are what the code prints, and everything they print has its line."""

import re
from enum import Enum
from functools import cache
from pathlib import Path

import pytest

from docs import destinations, lifecycle
from docs.generate import comments, pages
from orchestrator.core import blame, diagram
from orchestrator.core.drift import DriftKind, Place
from orchestrator.core.job import HandOffState, Source, Updates
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine.alarms import AlarmName
from orchestrator.engine.destination_settings import DestinationSettings, KindSettings
from orchestrator.engine.follow_up import Task
from orchestrator.engine.take import Fate
from orchestrator.fault_points import FaultPoint
from orchestrator.sandbox.switches import describe
from orchestrator.settings import PREFIX, Settings, UncertainPolicy
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.invariants import Invariant
from orchestrator.sinks import kinds
from orchestrator.store.inbox import EntryState
from orchestrator.telemetry import Event

printed = cache(pages)  # it takes two seconds, most of them for the plots
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
ENUMS = [
    State,
    Seen,
    Verdict,
    Source,
    Updates,
    blame.Fault,
    blame.Addressee,
    DriftKind,
    Place,
    HandOffState,
    EntryState,
    Fate,
    Task,
]
ENUMS += [FaultPoint, Event, UncertainPolicy, AlarmName, Invariant, Fault]


def test_every_page_is_what_the_code_prints() -> None:
    other = [page.name for page, text in printed().items() if not is_kept(page, text)]
    assert not other, "run `python -m docs.generate`"


def is_kept(page: Path, text: str) -> bool:
    """Whether the file has what is printed now."""
    kept = page.read_text()
    return alike(kept, text) if page.suffix == ".svg" else kept == text


def alike(kept: str, drawn: str) -> bool:
    """Whether two plots look the same: processors differ in the last digits, and a tie may fall otherwise."""
    if NUMBER.sub("#", kept) != NUMBER.sub("#", drawn):
        return False
    pairs = zip(NUMBER.findall(kept), NUMBER.findall(drawn), strict=True)
    apart = [abs(float(one) - float(other)) > 1.0 for one, other in pairs]
    return sum(apart) <= 0.02 * len(apart)


def test_plots_are_alike_up_to_a_few_points_and_no_further() -> None:
    plot = next(text for path, text in printed().items() if path.suffix == ".svg")
    first = NUMBER.sub(lambda found: str(float(found.group()) + 5), plot)
    assert alike(plot, NUMBER.sub(lambda found: str(float(found.group()) + 0.5), plot))
    assert not alike(plot, first)
    assert not alike(plot, plot.replace("</svg>", "<text>9</text></svg>"))


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_every_member_carries_its_line(kind: type[Enum]) -> None:
    assert not [name for name, comment in comments(kind).items() if not comment]


def test_every_setting_is_described_and_on_its_page() -> None:
    page = next(text for path, text in printed().items() if path.name == "settings.md")
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `{PREFIX}{name.upper()}` |" in page


def test_every_option_of_every_kind_of_ours_is_described_and_on_its_page() -> None:
    page = next(text for path, text in printed().items() if path.name == "destinations.md")
    assert destinations.ours()
    for name in destinations.ours():
        options = kinds.find(name).Options
        assert f"## `{name}`\n\n{(options.__doc__ or '').splitlines()[0]}" in page
        for option, field in options.model_fields.items():
            assert field.description, f"{name}.{option}"
            assert f"| `{option}` |" in page
    for option, field in DestinationSettings.model_fields.items():
        assert option in KindSettings.model_fields or field.description, option


def test_every_switch_of_the_sandbox_is_on_its_page() -> None:
    page = next(text for path, text in printed().items() if path.name == "sandbox-switches.md")
    for switch in describe():
        assert f"| `{switch['name']}` |" in page
        assert switch["meaning"]


def test_the_picture_shows_every_move_and_no_other() -> None:
    stands = [move for arrow in lifecycle.ARROWS for move in arrow[3]]
    assert len(stands) == len(set(stands)), "a move is drawn twice"
    assert set(stands) == lifecycle.moves()


def test_the_arrows_of_the_picture_lead_from_and_to_the_states_that_they_are_about() -> None:
    for corners, _, words, stands in lifecycle.ARROWS:
        for state in {was for was, _, _ in stands}:
            assert lifecycle.touches(corners[0], state), (words, state)
        for state in {to for _, _, to in stands}:
            assert lifecycle.touches(corners[-1], state), (words, state)


def test_the_table_has_a_row_for_everything_seen_and_a_column_for_every_state() -> None:
    heading, _, *rows = diagram.table().splitlines()
    assert heading.strip("| ").split(" | ") == ["seen", *State]
    assert [row.split("`")[1] for row in rows] == list(Seen)
    assert all(row.count("|") == len(State) + 2 for row in rows)
