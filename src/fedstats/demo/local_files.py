"""Write a waiting list as the files that the trusts' own systems would export."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fedstats.demo.codes import DATE_BOUNDS, DATE_COLUMNS, Column
from fedstats.demo.dirt import NO_NHS_NUMBER
from fedstats.demo.trusts import LocalColumn
from fedstats.demo.waiting_list import WaitingList, pathway_text

PATHWAYS_FILE: Final = "pathways.csv"
OPT_OUT_FILE: Final = "optout.txt"
NOTICE_FILE: Final = "SYNTHETIC.txt"

_NOTICE: Final = """\
Everything below this folder was made up by fedstats for a demonstration. The trusts are real; no person, NHS
number or pathway is, and the numbers say nothing about any trust. Shapes come from NHS England's published
referral to treatment statistics (Open Government Licence v3).
"""

# Rows turned into text at a time, so that a million of them need no more memory than this many.
_ROWS_PER_WRITE: Final = 50_000

_NULL: Final = ""


def write(waiting_list: WaitingList, folder: Path) -> None:
    """Write `<folder>/<department>/pathways.csv` and `optout.txt` for each trust, replacing what is there.

    The CSV has the trust's own column names and spellings (`Trust.columns`), null as an empty field, UTF-8.
    The opt-out file lists the trust's people who opted out, as the NHS's MESH service returns them: one NHS
    number and a comma a line. Raises OSError if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NOTICE_FILE).write_text(_NOTICE, encoding="utf-8")
    for position, trust in enumerate(waiting_list.trusts):
        home = folder / trust.department
        home.mkdir(exist_ok=True)
        rows = np.flatnonzero(waiting_list.trust == position)
        _write_pathways(waiting_list, trust.columns, rows, home / PATHWAYS_FILE)
        numbers = np.intersect1d(waiting_list.rows["nhs_number"][rows], waiting_list.opted_out)
        (home / OPT_OUT_FILE).write_text("".join(f"{number},\n" for number in numbers), encoding="utf-8")


def _write_pathways(
    waiting_list: WaitingList, columns: Mapping[str, LocalColumn], rows: NDArray[np.int64], path: Path
) -> None:
    spellings = {
        shared: _spellings(shared, column, waiting_list.codes.get(shared, ()))
        for shared, column in columns.items()
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column.name for column in columns.values())
        for begin in range(0, rows.size, _ROWS_PER_WRITE):
            taken = rows[begin : begin + _ROWS_PER_WRITE]
            texts = (
                _spell(shared, waiting_list.rows[shared][taken], spellings[shared]) for shared in columns
            )
            writer.writerows(zip(*texts, strict=True))


def _spellings(shared: str, column: LocalColumn, codes: Sequence[str]) -> NDArray[np.object_]:
    # One row per way of writing the column, one entry per value, null last; empty for columns of plain
    # numbers.
    if shared in DATE_COLUMNS:
        first, last = DATE_BOUNDS
        days = [first + timedelta(days=day) for day in range((last - first).days + 1)]
        ways = [[day.strftime(form) for day in days] for form in column.date_formats]
    elif column.codes:
        local = {code: [text for text, meant in column.codes.items() if meant == code] for code in codes}
        count = max(map(len, local.values()))
        ways = [[local[code][way % len(local[code])] for code in codes] for way in range(count)]
    else:
        ways = [list(codes)]
    return np.array([[*way, _NULL] for way in ways], dtype=np.object_)


def _spell(shared: str, values: Column, spellings: NDArray[np.object_]) -> list[str]:
    if shared == "pathway_id":
        return [pathway_text(pathway) for pathway in values.tolist()]
    if shared == "nhs_number":
        return [_NULL if number == NO_NHS_NUMBER else str(number) for number in values.tolist()]
    if shared in DATE_COLUMNS:
        day = (values - np.datetime64(DATE_BOUNDS[0])).astype(np.int64)
        positions = np.where(np.isnat(values), -1, day)
    elif spellings.shape[1] > 1:
        positions = values
    else:
        return list(map(str, values.tolist()))
    # Where a column has several spellings, they take turns.
    way = np.arange(values.size) % spellings.shape[0]
    spelled: list[str] = spellings[way, positions].tolist()
    return spelled
