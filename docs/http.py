"""What the reference page of the API's operations holds: the OpenAPI document, for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from orchestrator.web.api.openapi import METHODS

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]
_INTRO = (
    "What `up` and `web` serve under `/v1`. What holds for all of it, keys, limits, pages, repeating: "
    "[The API](api.md). For programs the same is in [openapi.json](openapi.json), at `/openapi.json` of a "
    "running one. Beside the answers that are listed, each operation may answer with the [errors](errors.md) "
    "that all share."
)
_SHARED = {"400", "401", "403", "408", "413", "414", "415", "422", "429", "431", "500", "503"}


def parts(document: Mapping[str, Any], table: Table) -> Iterator[str]:
    """The page, part by part."""
    found = list(_operations(document))
    yield _INTRO
    yield table(("operation", "", "scope"), [(_link(*one), _first(one[2]), _who(one[2])) for one in found])
    for method, path, operation in found:
        yield from _operation(method, path, operation, table)
    yield "## What is sent and answered"
    schemas = document["components"]["schemas"]
    for name in sorted(schemas):
        yield from _model(name, schemas[name], table)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        yield from ((method.upper(), path, item[method]) for method in METHODS if method in item)


def _operation(method: str, path: str, operation: Mapping[str, Any], table: Table) -> Iterator[str]:
    yield f"## `{method} {path}`"
    yield operation["description"]
    yield f"Scope: {_who(operation)}."
    given = [
        (f"`{one['name']}`", one["in"], _type(one["schema"]), _meaning(one))
        for one in operation.get("parameters", ())
    ]
    if given:
        yield table(("parameter", "in", "type", "meaning"), given)
    if body := operation.get("requestBody"):
        yield f"Body: {_content(body)}."
    answers = {status: one for status, one in operation["responses"].items() if status not in _SHARED}
    yield table(
        ("answer", "means", "body"),
        [(status, one.get("description", ""), _content(one)) for status, one in answers.items()],
    )


def _model(name: str, schema: Mapping[str, Any], table: Table) -> Iterator[str]:
    yield f"### {name}"
    if meaning := schema.get("description"):
        yield meaning
    fields = schema.get("properties", {})
    wanted = set(schema.get("required", ()))
    rows = [
        (f"`{field}`", _type(one) + ("" if field in wanted else _default(one)), _meaning(one))
        for field, one in fields.items()
    ]
    yield table(("field", "type", "meaning"), rows) if rows else _type(schema)


def _link(method: str, path: str, _: Mapping[str, Any]) -> str:
    anchor = re.sub(r"[^\w -]", "", f"{method} {path}".lower()).replace(" ", "-")
    return f"[`{method} {path}`](#{anchor})"


def _first(operation: Mapping[str, Any]) -> str:
    return str(operation["description"]).partition("\n\n")[0].replace("\n", " ")


def _who(operation: Mapping[str, Any]) -> str:
    by = {name: scopes for one in operation["security"] for name, scopes in one.items()}
    scope = f"`{by['apiKey'][0]}`" if by.get("apiKey") else "any key"
    return f"{scope}, or a token" if "token" in by else scope


def _content(one: Mapping[str, Any]) -> str:
    kinds = one.get("content", {})
    told = [f"{_type(content.get('schema', {}))} (`{kind}`)" for kind, content in kinds.items()]
    return "; ".join(dict.fromkeys(told)).replace(" (`application/json`)", "") or "none"


def _meaning(one: Mapping[str, Any]) -> str:
    return " ".join(str(one.get("description", one.get("schema", {}).get("description", ""))).split())


def _default(one: Mapping[str, Any]) -> str:
    value = one.get("default")
    return ", may be left out" if value in (None, [], {}) else f", `{value}` if left out"


def _type(schema: Mapping[str, Any]) -> str:
    """The type in words, with its limits."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}{_limits(schema, 'minItems', 'maxItems')}"
    limits = _limits(schema, "minimum", "maximum") + _limits(schema, "minLength", "maxLength", " characters")
    return f"{kind}{limits}{' (' + schema['format'] + ')' if 'format' in schema else ''}"


def _limits(schema: Mapping[str, Any], least: str, most: str, what: str = "") -> str:
    ends = [f"{sign} {schema[name]:,}" for name, sign in ((least, "≥"), (most, "≤")) if name in schema]
    return f", {' and '.join(ends)}{what}" if ends else ""
