"""Answers as JSON, CSV, Arrow, pandas and Parquet. Typed cells: an absence is never a number and never NaN.

JSON, form 1 (keys are only ever added; readers ignore those they do not know):

    {"form": 1, "job": text,
     "question": {"text", "agreement", "agreement_version", "title", "purpose", "purpose_text",
                  "dataset", "edition"},
     "tables": [{"name": text, "keys": [text], "columns": [text],
                 "counts": [the columns that count people or rows],
                 "derived": [the columns that have the noise in them and estimate nothing, such as a p-value],
                 "rows": [{"key": [text or null], "cells": [cell], "named_by": number or null,
                           "total": true where the row adds up others}]}],
     "disclosure": {"profile": "none" | "opensafely" | "acro", "withheld": number, "numbers": number},
     "participants": [{"department": text, "answered": true or false, "refusal": null or refusal}],
     "cost": {"rho": "n/d", "delta_add": "n/d", "epsilon": decimal text, "delta": decimal text,
              "pure": true or false, "used_percent": number or null, "left_percent": number or null,
              "delta_percent": number or null,
              "free": true or false, "free_at": [text]},
     "guarantee": {"unit", "rows_max", "departments_max", "mechanism", "epsilon", "delta", "sentence"},
     "notes": [text]}
    cell:     {"value": number, "noise_interval": [lo, hi], "interval": [lo, hi] or null}
              or {"absent": "too_few" | "refused" | "no_answer" | "suppressed" | "below_threshold",
              "sentence": text}
    refusal:  {"code": "FS-2..", "sentence": text, "charged": true or false}

In a table, a null key means that the value is missing in the data. `named_by` is how many departments named
the value of a key without a public list: the row adds up those. CSV, Arrow and Parquet have the keys as text,
and for each column x: x, x_lo, x_hi (the noise interval), and x_absent, which says why x is empty; where
there is such a key, a last column named_by. In CSV, which people open in spreadsheets, a text that a
spreadsheet would compute has an apostrophe before it: departments name such texts, and nobody checked them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fedstats.client.extras import load
from fedstats.client.question import Question
from fedstats.core.agreement_document import decimal_text
from fedstats.core.estimate import Absence, Cell, Cost, Estimate, Guarantee, Interval, Participant, Table
from fedstats.core.guarantee.figures import plain
from fedstats.errors import FileProblem

if TYPE_CHECKING:  # they come with [analysis]
    import pandas as pd
    import pyarrow as pa

FORM = 1
_FORMULA = re.compile(r"\s*(?:[=@\uff1d\uff20]|[+-].*[(|!])", flags=re.DOTALL)


def to_json(estimate: Estimate, question: Question) -> str:
    """The whole answer, in the form above."""
    document = {
        "form": FORM,
        "job": estimate.job,
        "question": asdict(question),
        "tables": [_table(table) for table in estimate.tables],
        "disclosure": {
            "profile": estimate.disclosure.value,
            "withheld": sum(table.withheld for table in estimate.tables),
            "numbers": sum(table.numbers for table in estimate.tables),
        },
        "participants": [_participant(participant) for participant in estimate.participants],
        "cost": None if estimate.cost is None else cost_document(estimate.cost),
        "guarantee": None if estimate.guarantee is None else guarantee_document(estimate.guarantee),
        "notes": list(estimate.notes),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)


def to_csv(table: Table) -> str:
    """One line of names, then one line for each row; an absent number is empty, and its reason beside it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = flat(table)
    writer.writerow(_inert(name) for name in columns)
    writer.writerows([_inert(value) for value in row] for row in zip(*columns.values(), strict=True))
    return text.getvalue()


def to_arrow(table: Table) -> pa.Table:
    """An Arrow table: keys and reasons are text, numbers are float64; null where there is none."""
    pyarrow = load("pyarrow")
    keys = len(table.keys)
    types = [pyarrow.string()] * keys + [
        kind
        for _ in table.columns
        for kind in (pyarrow.float64(), pyarrow.float64(), pyarrow.float64(), pyarrow.string())
    ]
    types += [pyarrow.int64()] if is_open(table) else []
    columns = flat(table)
    arrays = [pyarrow.array(values, kind) for values, kind in zip(columns.values(), types, strict=True)]
    return pyarrow.table(arrays, names=list(columns))


def to_pandas(table: Table) -> pd.DataFrame:
    """A data frame: keys are categories in the order of the table, so that it sorts as it reads.

    Numbers are of the type Float64, whose missing values are <NA> and never NaN.
    """
    pandas, pyarrow = load("pandas"), load("pyarrow")
    types = {pyarrow.float64(): pandas.Float64Dtype(), pyarrow.int64(): pandas.Int64Dtype()}
    frame = to_arrow(table).to_pandas(types_mapper=types.get)
    for i, key in enumerate(table.keys):
        labels = list(dict.fromkeys(row.key[i] for row in table if row.key[i] is not None))
        frame[key] = pandas.Categorical(frame[key], categories=labels, ordered=True)
    return frame


def write_parquet(table: Table, path: Path) -> None:
    """A Parquet file; raises FileProblem where it cannot be written."""
    content = to_arrow(table)
    try:
        load("pyarrow.parquet").write_table(content, path)
    except OSError as problem:
        raise FileProblem(f"{path} cannot be written: {problem.strerror}.") from None


def flat(table: Table) -> dict[str, list[object]]:
    """The table as columns of plain values: keys, then four columns for each column of numbers."""
    columns: dict[str, list[object]] = {
        key: [row.key[i] for row in table] for i, key in enumerate(table.keys)
    }
    for i, name in enumerate(table.columns):
        parts = [_parts(row.cells[i]) for row in table]
        for j, suffix in enumerate(("", "_lo", "_hi", "_absent")):
            columns[_free(name + suffix, columns)] = [part[j] for part in parts]
    if is_open(table):
        columns[_free("named_by", columns)] = [row.named_by for row in table]
    return columns


def is_open(table: Table) -> bool:
    """Whether its rows depend on which values departments named."""
    return any(row.named_by is not None for row in table)


def cost_document(cost: Cost) -> dict[str, object]:
    """The cost in the form above."""
    return {
        "rho": f"{cost.loss.rho.numerator}/{cost.loss.rho.denominator}",
        "delta_add": f"{cost.loss.delta_add.numerator}/{cost.loss.delta_add.denominator}",
        "epsilon": plain(cost.epsilon),
        "delta": decimal_text(cost.delta),
        "pure": cost.pure,
        "used_percent": cost.used_percent,
        "left_percent": cost.left_percent,
        "delta_percent": cost.delta_percent,
        "free": cost.free,
        "free_at": list(cost.free_at),
    }


def guarantee_document(guarantee: Guarantee) -> dict[str, object]:
    """The guarantee in the form above."""
    return {
        "unit": guarantee.unit,
        "rows_max": guarantee.rows_max,
        "departments_max": guarantee.departments_max,
        "mechanism": guarantee.mechanism,
        "epsilon": plain(guarantee.epsilon),
        "delta": decimal_text(guarantee.delta),
        "sentence": guarantee.sentence,
    }


def _parts(cell: Cell) -> tuple[object, ...]:
    if isinstance(cell, Absence):
        return None, None, None, cell.reason.name.lower()
    return cell.value, cell.noise_interval.lo, cell.noise_interval.hi, None


def _inert(value: object) -> object:
    """The value; a text that spreadsheets take for a formula as they write one that is none.

    Bands such as "-5 to 0" and "+65" stay as they are: they call nothing and refer to nothing.
    """
    is_formula = isinstance(value, str) and _FORMULA.match(value)
    return f"'{value}" if is_formula else value


def _free(name: str, taken: dict[str, list[object]]) -> str:
    """A name that no column has yet: an alias may end in _lo, too."""
    while name in taken:
        name += "_"
    return name


def _table(table: Table) -> dict[str, object]:
    return {
        "name": table.name,
        "keys": list(table.keys),
        "columns": list(table.columns),
        "counts": list(table.counts),
        "derived": list(table.derived),
        "rows": [
            {
                "key": list(row.key),
                "cells": [_cell(cell) for cell in row.cells],
                "named_by": row.named_by,
                "total": row.total,
            }
            for row in table
        ],
    }


def _cell(cell: Cell) -> dict[str, object]:
    if isinstance(cell, Absence):
        return {"absent": cell.reason.name.lower(), "sentence": cell.sentence or cell.reason.value}
    return {
        "value": cell.value,
        "noise_interval": _interval(cell.noise_interval),
        "interval": None if cell.interval is None else _interval(cell.interval),
    }


def _interval(interval: Interval) -> list[float]:
    return [interval.lo, interval.hi]


def _participant(participant: Participant) -> dict[str, object]:
    refusal = participant.refusal
    return {
        "department": participant.department,
        "answered": refusal is None,
        "refusal": None
        if refusal is None
        else {"code": refusal.code, "sentence": refusal.sentence, "charged": refusal.charged},
    }
