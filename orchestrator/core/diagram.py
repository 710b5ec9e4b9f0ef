"""The lifecycle table as a picture and as a table, for the documentation."""

from __future__ import annotations

from collections import defaultdict

from orchestrator.core.lifecycle import SETTLED, STEPS, Seen, State, Step, Verdict, step


def mermaid() -> str:
    """Every move of the table as a Mermaid state diagram; what leads from one state to another is joined."""
    moves: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (state, seen), taken in STEPS.items():
        if taken.verdict is Verdict.MOVED:
            moves[state, taken.to].append(seen)
    arrows = [f"    {state} --> {to}: {', '.join(moves[state, to])}" for state, to in sorted(moves)]
    ends = [f"    {state} --> [*]" for state in State if state in SETTLED]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.ACCEPTED}", *arrows, *ends])


def table() -> str:
    """Everything that can be seen (rows) in every state (columns), as a Markdown table."""
    lines = [f"| seen | {' | '.join(State)} |", f"|---|{'---|' * len(State)}"]
    lines += [f"| `{seen}` | {' | '.join(_cell(step(state, seen)) for state in State)} |" for seen in Seen]
    return "\n".join(lines)


def _cell(taken: Step) -> str:
    words = f"**{taken.to}**" if taken.verdict is Verdict.MOVED else str(taken.verdict)
    return f"{words} ?" if taken.confirm else words
