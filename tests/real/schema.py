"""Records held against the published schema: as much of JSON Schema as that file uses, so that no package is needed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA: Mapping[str, Any] = json.loads((Path(__file__).parents[2] / "config" / "records.schema.json").read_text())
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
SILENT = {"$schema", "$defs", "title", "description", "default", "discriminator"}
"""Words that demand nothing; all others that occur are checked."""


def faults(value: object, schema: Mapping[str, Any] = SCHEMA, at: str = "record") -> Iterator[str]:
    """Yield where a value does not keep to the schema, and where it has a name that the schema does not know."""
    unknown = set(schema) - SILENT - {"$ref", "anyOf", "type", "enum", "properties", "required", "items"}
    assert not unknown, f"the schema has new words: {unknown}"
    if "$ref" in schema:
        yield from faults(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], at)
    if "anyOf" in schema:
        tried = [list(faults(value, one, at)) for one in schema["anyOf"]]
        if all(tried):
            yield min(tried, key=len)[0]
    if "type" in schema and (not isinstance(value, TYPES[schema["type"]]) or _is_odd(value, schema["type"])):
        yield f"{at} is no {schema['type']}: {value!r}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is none of {schema['enum']}: {value!r}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{at} has no {name}" for name in schema.get("required", ()) if name not in value)
        yield from (f"{at} has an unknown {name}" for name in value if known and name not in known)
        for name in value.keys() & known.keys():
            yield from faults(value[name], known[name], f"{at}.{name}")
    if isinstance(value, list):
        for place, one in enumerate(value):
            yield from faults(one, schema.get("items", {}), f"{at}[{place}]")


def _is_odd(value: object, kind: str) -> bool:
    """Whether it is a boolean where a number is wanted: in Python it is one."""
    return isinstance(value, bool) and kind != "boolean"
