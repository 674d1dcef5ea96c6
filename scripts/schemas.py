"""The forms of JSON documents, as JSON Schemas in docs/schemas/ and as pages that explain each field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedstats.client.documents.satre_form import SCHEMA as SATRE
from fedstats.core.agreement_schema import agreement_schema
from fedstats.core.guarantee.form import SCHEMA as GUARANTEE

SCHEMAS: Mapping[str, Mapping[str, object]] = {
    "agreement": agreement_schema(),
    "guarantee": GUARANTEE,
    "satre": SATRE,
}
"""By the name of the document."""

GUARANTEE_HEAD = """<!-- Generated from src/fedstats/core/guarantee/form.py by `make kits`. -->
# The guarantee report

`fedstats guarantee JOB` shows what an answer promises to the people whose data it used: as a page to read, or
with `--format json` as one document whose form is [a JSON Schema](schemas/guarantee.schema.json). It holds
what NIST SP 800-226, "Guidelines for Evaluating Differential Privacy Guarantees", tells readers to ask of
such a promise. Every figure follows from what the departments signed; nothing of it needs the data.

A department sees what its own ledger knows, over all agreements: `fedstats node guarantee`.

How to read it, in the order in which people ask:

1. **What does it mean for me?** `sentence`, and `belief_percent` in `guarantees`: if somebody thought it as
   likely as not that something is true of you, so far can the answer move that belief at most.
2. **Does it hold for me?** `unit`, `contribution` and `in_more_departments`: it holds for everybody who is in
   at most `departments_max` of the departments, whatever their rows are.
3. **Against whom?** `guarantees` has two promises. The one of the federation is about all answers together,
   against whoever sees them. The one of a department is about its own numbers, and holds even if everybody
   else works together: each department adds its noise itself. `trust` says who learns what.
4. **And together with everything else that is asked?** `cumulative`. The agreement's budget is the most that
   all answers together can ever cost. What a department has answered over all agreements, it alone knows.
5. **What is not protected?** `unprotected` and `side_channels`.
6. **What does it do to small groups?** `small_groups`, and `expected_error` of each measure.

"With probability delta" has a strict reading. (epsilon, delta) means that for any answer the chances with and
without you differ by a factor of e^epsilon and delta besides. `strict` gives the somewhat larger epsilon for
which "except with probability delta, no answer moves the odds by more than e^epsilon" is a theorem.

Decimals are texts, and never better than the truth: losses are rounded up, noise scales down. The exact
fraction stands beside, as `..._exact`.

## Fields

"""


def write_schemas(out: Path) -> None:
    """Write docs/schemas/ and docs/guarantee.md into a folder laid out like the repository."""
    folder = out / "docs" / "schemas"
    folder.mkdir(parents=True)
    for name, schema in SCHEMAS.items():
        (folder / f"{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n")
    lines = [GUARANTEE_HEAD.rstrip(), "", *_fields(GUARANTEE, ""), "", "## Losses", "", *_shared("loss"), ""]
    lines += ["## Sensitivities", "", *_shared("sensitivity")]
    (out / "docs" / "guarantee.md").write_text("\n".join(lines) + "\n")


def _shared(name: str) -> Iterator[str]:
    definitions: Any = GUARANTEE["$defs"]
    yield f"{definitions[name]['description']}"
    yield ""
    yield from _fields(definitions[name], "")


def _fields(schema: Mapping[str, Any], indent: str) -> Iterator[str]:
    """One line for each field, with those inside it below."""
    for name, field in schema["properties"].items():
        yield f"{indent}- `{name}`: {field['description']}"
        yield from _inside(field, indent + "  ")


def _inside(field: Mapping[str, Any], indent: str) -> Iterator[str]:
    inner = next((option for option in field.get("anyOf", ()) if "properties" in option), field)
    inner = inner.get("items", inner)
    if "properties" in inner:
        yield from _fields(inner, indent)
