"""`python -m orchestrator.sandbox`: the sandbox from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from typing import Any

from orchestrator.sandbox.config import SandboxConfig
from orchestrator.sandbox.server import serve


def _fault(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator.sandbox", description="A pretend gateway on loopback."
    )
    for item in fields(SandboxConfig):
        if item.name == "faults":
            continue
        flag, doc = "--" + item.name.replace("_", "-"), item.metadata["doc"]
        if isinstance(item.default, bool):
            parser.add_argument(flag, default=item.default, action=argparse.BooleanOptionalAction, help=doc)
        else:
            kind = str if item.default is None else type(item.default)
            kind = float if item.name == "poll_after_seconds" else kind
            parser.add_argument(flag, default=item.default, type=kind, help=f"{doc} (default {item.default})")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="NAME=VALUE",
        help="a switch, value in JSON; may be repeated",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse the options and serve."""
    options = vars(_parser().parse_args(arguments))
    options["faults"] = dict(options.pop("fault"))
    return serve(SandboxConfig(**options))


if __name__ == "__main__":
    sys.exit(main())
