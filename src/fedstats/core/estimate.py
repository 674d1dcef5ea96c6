"""Estimates: what an analyst gets. Every number carries its uncertainty, every absence its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from fedstats.core.disclosure import DisclosureProfile
from fedstats.core.privacy import Loss


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, both ends included."""

    lo: float
    hi: float

    @property
    def half_width(self) -> float:
        """Half its width."""
        return (self.hi - self.lo) / 2


@dataclass(frozen=True, slots=True)
class Value:
    """A number with what the noise hides of the exact answer, and with the interval for the population.

    `noise_interval` covers the exact answer over these rows; `interval` covers the population parameter
    (sampling and noise), None where the statistic has no sampling model for it.
    """

    value: float
    noise_interval: Interval
    interval: Interval | None = None


class AbsenceReason(Enum):
    """Why there is no number."""

    TOO_FEW = "too few rows to tell from the noise"
    REFUSED = "the department refused"
    NO_ANSWER = "the department did not answer"
    SUPPRESSED = "suppressed by disclosure control"
    BELOW_THRESHOLD = "too few people there to be named"


@dataclass(frozen=True, slots=True)
class Absence:
    """A missing number with its reason; never 0 and never NaN."""

    reason: AbsenceReason
    sentence: str = ""


Cell = Value | Absence


@dataclass(frozen=True, slots=True)
class TableRow:
    """The labels of one row's keys (None: the value is missing in the data) and its cells.

    `named_by` is how many departments named the value of an open key, so that the numbers are theirs; None
    where no key is open, or the row is one department's. A `total` adds up other rows of the table.
    """

    key: tuple[str | None, ...]
    cells: tuple[Cell, ...]
    named_by: int | None = None
    total: bool = False


class PictureKind(Enum):
    """How a table is best looked at."""

    BARS = "bars"
    HISTOGRAM = "histogram"
    CURVE = "curve"
    FUNNEL = "funnel"
    INTERVALS = "intervals"


@dataclass(frozen=True, slots=True)
class Picture:
    """How a table is drawn: which of its columns, along which key.

    `value` is the column that is drawn, `label` the key along the axis (None: the first), `series` the key
    that makes several of it, `size` the column of denominators (of a funnel), `reference` a number drawn as a
    line, and `unit` what the value is measured in. `limits` are the columns of a funnel's limits in each row:
    the lower and upper one at 95 %, then at 99.8 %; without them they are made of sizes and noise.
    """

    kind: PictureKind
    value: str
    label: str | None = None
    series: str | None = None
    size: str | None = None
    reference: float | None = None
    unit: str = ""
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A named table of typed cells; `counts` are those of its columns that count people or rows.

    `derived` are those that estimate nothing of the exact rows, but say something of the released numbers
    with the noise in them: a test's statistic and p-value, the limits of a funnel. Their noise intervals have
    no width. `picture` is how it is drawn; without one, as bars of its first column.
    """

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    counts: tuple[str, ...] = ()
    picture: Picture | None = None
    derived: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[TableRow]:
        """The rows in order."""
        return iter(self.rows)

    @property
    def withheld(self) -> int:
        """How many of its numbers disclosure control withholds, totals not counted."""
        return sum(
            isinstance(cell, Absence) and cell.reason is AbsenceReason.SUPPRESSED
            for row in self.rows
            if not row.total
            for cell in row.cells
        )

    @property
    def numbers(self) -> int:
        """How many numbers it has room for, totals not counted."""
        return len(self.columns) * sum(not row.total for row in self.rows)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A department's typed no: a stable code, a sentence about public things, whether budget was spent."""

    department: str
    code: str
    sentence: str
    charged: bool = False


@dataclass(frozen=True, slots=True)
class Participant:
    """A department that was asked, with its refusal where it refused or did not answer."""

    department: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the query cost: its loss over the whole federation, and its place in the budget.

    `used_percent` is the part of the agreement's budget that this query takes, `left_percent` what is left
    after it at the fullest department, None where no department said. `delta_percent` is the part of the
    additive delta, which only a key without a public list takes. `free_at` are departments that say that they
    charged nothing, because they had recorded the answer before; `free` if all of them say so.
    """

    loss: Loss
    epsilon: Decimal
    delta: Fraction
    pure: bool
    used_percent: float | None = None
    left_percent: float | None = None
    delta_percent: float | None = None
    free_at: tuple[str, ...] = ()
    free: bool = False


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What is promised to whom, in numbers and in one plain sentence."""

    unit: str
    rows_max: int
    departments_max: int
    mechanism: str
    epsilon: Decimal
    delta: Fraction
    sentence: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """The answer to a query: `step` fills the tables; the session adds participants, guarantee and cost.

    `disclosure` is the profile by which the tables show what they show.
    """

    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    participants: tuple[Participant, ...] = ()
    guarantee: Guarantee | None = None
    cost: Cost | None = None
    job: str = ""
    disclosure: DisclosureProfile = DisclosureProfile.NONE
