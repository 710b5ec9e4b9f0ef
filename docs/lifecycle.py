"""The lifecycle table as a picture. An arrow may stand for many moves; together they are all there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from docs.svg import STYLE, Point, words
from orchestrator.core.lifecycle import STEPS, Seen, State, Verdict

PAGE = Path(__file__).parent / "reference" / "lifecycle.svg"
SIZE = 960, 476
Move = tuple[State, Seen, State]

OPEN = State.ACCEPTED, State.CREATING, State.UNCERTAIN, State.WAITING
ENDS = {
    Seen.COMPLETED: State.COMPLETED,
    Seen.FAILED_STORED: State.FAILED,
    Seen.CANCELLED_STORED: State.CANCELLED,
    Seen.EXPIRED_STORED: State.EXPIRED,
}
RUNNING = Seen.OPEN, Seen.FAILED_LIVE, Seen.CANCELLED_LIVE, Seen.EXPIRED_LIVE
BOXES: dict[State, Point] = {
    State.ACCEPTED: (40, 110),
    State.CREATING: (250, 110),
    State.WAITING: (460, 110),
    State.UNCERTAIN: (250, 240),
    State.COMPLETED: (788, 92),
    State.FAILED: (788, 136),
    State.CANCELLED: (788, 180),
    State.EXPIRED: (788, 224),
    State.REJECTED: (40, 384),
    State.TIMED_OUT: (460, 384),
}
WIDE, HIGH = 112, 34
GROUPS = (("open", 16, 40, 580, 268), ("ended at the gateway", 744, 62, 200, 208))


def _moves(seen: tuple[Seen, ...], to: State, *of: State) -> frozenset[Move]:
    return frozenset((state, one, to) for state in of for one in seen)


def _ends(*of: State) -> frozenset[Move]:
    return frozenset((state, seen, to) for state in of for seen, to in ENDS.items())


_A, _C, _U, _W = OPEN
# Each arrow: the corners of its line, where its words begin, the words, and the moves that it stands for.
ARROWS: tuple[tuple[tuple[Point, ...], Point, tuple[str, ...], frozenset[Move]], ...] = (
    (((152, 120), (250, 120)), (176, 114), ("attempt",), _moves((Seen.ATTEMPT,), _C, _A)),
    (((250, 136), (152, 136)), (178, 152), ("no_job",), _moves((Seen.NO_JOB,), _A, _C)),
    (((362, 127), (460, 127)), (370, 121), ("open, …_live",), _moves(RUNNING, _W, _C)),
    (
        ((96, 110), (96, 82), (516, 82), (516, 110)),
        (200, 76),
        ("open, …_live (a webhook was first), adopt",),
        _moves((*RUNNING, Seen.ADOPT), _W, _A),
    ),
    (((306, 144), (306, 240)), (314, 192), ("lost",), _moves((Seen.LOST,), _U, _C)),
    (
        ((250, 257), (96, 257), (96, 144)),
        (104, 251),
        ("no_job, resubmit",),
        _moves((Seen.NO_JOB, Seen.RESUBMIT), _A, _U),
    ),
    (
        ((362, 257), (488, 257), (488, 144)),
        (370, 251),
        ("open, …_live,", "adopt"),
        _moves((*RUNNING, Seen.ADOPT), _W, _U),
    ),
    (
        ((264, 144), (264, 200), (60, 200), (60, 384)),
        (68, 340),
        ("refused",),
        _moves((Seen.REFUSED,), State.REJECTED, _C),
    ),
    (
        ((270, 274), (270, 350), (110, 350), (110, 384)),
        (200, 344),
        ("refused",),
        _moves((Seen.REFUSED,), State.REJECTED, _U),
    ),
    (
        ((488, 308), (488, 384)),
        (318, 336),
        ("deadline (not while", "creating), give_up"),
        _moves((Seen.DEADLINE,), State.TIMED_OUT, _A, _U, _W) | _moves((Seen.GIVE_UP,), State.TIMED_OUT, _U),
    ),
    (((544, 384), (544, 144)), (552, 346), ("adopt",), _moves((Seen.ADOPT,), _W, State.TIMED_OUT)),
    (
        ((96, 418), (96, 450), (626, 450), (626, 127), (572, 127)),
        (200, 444),
        ("adopt",),
        _moves((Seen.ADOPT,), _W, State.REJECTED),
    ),
    (
        ((460, 402), (152, 402)),
        (264, 396),
        ("refused, late",),
        _moves((Seen.REFUSED,), State.REJECTED, State.TIMED_OUT),
    ),
    (
        ((596, 180), (744, 180)),
        (634, 210),
        ("completed, or", "an end as stored;", "cancel, while", "accepted"),
        _ends(*OPEN) | _moves((Seen.CANCEL,), State.CANCELLED, _A),
    ),
    (
        ((572, 402), (844, 402), (844, 270)),
        (664, 396),
        ("a real end, late",),
        _ends(State.TIMED_OUT),
    ),
)


_TIP = (
    '<marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
    '<path class="a" fill="currentColor" d="M0 0l9 4l-9 4z"/></marker>'
)


def text() -> str:
    """The picture as SVG."""
    width, height = SIZE
    size = f'width="{width}" height="{height}"'
    role = 'role="img" aria-labelledby="title told"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} {role}>',
        '<title id="title">The lifecycle of a job</title>',
        f'<desc id="told">{escape(_told())}</desc>',
        f"<style>{STYLE}</style>",
        f"<defs>{_TIP}</defs>",
        f'<rect class="ground" width="{width}" height="{height}" rx="6"/>',
        *_drawn(),
        "</svg>",
    ]
    return "\n".join(parts)


def moves() -> frozenset[Move]:
    """Every move of the table."""
    return frozenset((was, seen, to.to) for (was, seen), to in STEPS.items() if to.verdict is Verdict.MOVED)


def touches(point: Point, state: State) -> bool:
    """Whether a point lies on the edge of a state, or of a field that has the state in it."""
    box = (*BOXES[state], WIDE, HIGH)
    fields = [place for _, *place in GROUPS if _within(box[:2], place)]
    return any(_on_edge(point, place) for place in (box, *fields))


def _within(point: Sequence[float], place: Sequence[float]) -> bool:
    (x, y), (left, top, width, height) = point, place
    return left <= x <= left + width and top <= y <= top + height


def _on_edge(point: Point, place: Sequence[float]) -> bool:
    (x, y), (left, top, width, height) = point, place
    return _within(point, place) and (x in (left, left + width) or y in (top, top + height))


def _told() -> str:
    said = [
        f"{', '.join(sorted({f'{was} to {to}' for was, _, to in stands}))}: {' '.join(lines)}"
        for _, _, lines, stands in ARROWS
    ]
    return "; ".join(said)


def _drawn() -> Iterator[str]:
    for name, left, top, width, height in GROUPS:
        yield f'<rect class="area" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>'
        yield words(left + 10, top + 18, name, "faint")
    for corners, (x, y), lines, _ in ARROWS:
        path = " ".join(f"{across:g},{down:g}" for across, down in corners)
        yield f'<polyline class="a line" marker-end="url(#tip)" points="{path}"/>'
        for number, line in enumerate(lines):
            yield words(x, y + 15 * number, line, "ink")
    for state, (x, y) in BOXES.items():
        yield f'<rect class="ground" x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
        yield f'<rect class="axis" fill="none" x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
        yield words(x + WIDE / 2, y + 22, state, "ink", "middle", ' font-weight="600"')
