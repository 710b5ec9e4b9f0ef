"""The code as a tree, read once in each process: many rules look at all of it."""

import ast
from functools import cache
from pathlib import Path


@cache
def module_of(file: Path) -> ast.Module:
    """What is in a file."""
    return ast.parse(file.read_text())


@cache
def nodes_of(file: Path) -> tuple[ast.AST, ...]:
    """All that is in it, one after the other."""
    return tuple(ast.walk(module_of(file)))
