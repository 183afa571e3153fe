"""The published schema of the output is the types' own. `python tests/core/test_records_schema.py` writes it anew."""

import json
import sys
from pathlib import Path

import msgspec

from stenod.core import records

SCHEMA = Path(__file__).parents[2] / "config" / "records.schema.json"
LINE = records.Final | records.Partial | records.Gap | records.Session | records.Revision | records.Status


def schema() -> str:
    """Return the JSON Schema of one line."""
    made = msgspec.json.schema(LINE)
    top = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "One line of stenod's output"}
    return json.dumps({**top, **made}, indent=2) + "\n"


def test_the_published_schema_is_the_types_own() -> None:
    """Whoever validates against it validates against what is printed."""
    assert schema() == SCHEMA.read_text()


def test_every_record_has_its_type_in_the_schema() -> None:
    """A reader can tell the lines apart by `type`."""
    mapping = json.loads(SCHEMA.read_text())["discriminator"]["mapping"]
    assert {"final", "partial", "gap", "session", "revision", "status"} == set(mapping)


if __name__ == "__main__":
    sys.stdout.write(schema())
