"""The lifecycle table in full, for the documentation."""

from __future__ import annotations

from orchestrator.core.lifecycle import Seen, State, Step, Verdict, step


def table() -> str:
    """Everything that can be seen (rows) in every state (columns), as a Markdown table."""
    lines = [f"| seen | {' | '.join(State)} |", f"|---|{'---|' * len(State)}"]
    lines += [f"| `{seen}` | {' | '.join(_cell(step(state, seen)) for state in State)} |" for seen in Seen]
    return "\n".join(lines)


def _cell(taken: Step) -> str:
    words = f"**{taken.to}**" if taken.verdict is Verdict.MOVED else str(taken.verdict)
    return f"{words} ?" if taken.confirm else words
