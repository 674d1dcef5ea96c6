"""Reading one value of the source in SQL: its text or typed value, its code, and what was wrong with it.

A value is NULL where nothing is there. A code that is no value of the column is one of three marks just above
the greatest code: unreadable, below the bounds, above the bounds.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from fedstats.core.domain import Categories, Dates, Domain, Every, Numbers, Texts, Truth
from fedstats.core.names import UNREADABLE
from fedstats.engines._duckdb_session import text, texts
from fedstats.engines._duckdb_source import LocalColumn, LocalTable
from fedstats.engines.mapping import ISO_DATE, ColumnMapping, DatasetMapping, PersonCheck, labels_of
from fedstats.errors import InternalError

PERSON = "_person"
_SPACE = " \t\r\n\u00a0"
_TIGHT = "([!-~]([ -~]*[!-~])?)?"
"""Printed ASCII without blanks around it, as most texts are: finding that out is cheaper than trimming."""
_PLAIN = "[0-9A-Z]*"
"""An identifier that is written as it is compared, as most are."""
_CONTROLS = "[- \\x00-\\x1F\\x7F-\\x9F]"
"""Hyphens, spaces and control characters, as a pattern: not every one of these can stand in a statement."""
_JOINTS = "- "
_APOSTROPHES = "`\u00b4\u02b9\u02bc\u2018\u2019\u201b\u2032"
_WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0) not in _JOINTS}
_WIDE |= dict.fromkeys(map(ord, _APOSTROPHES), "'")
_UNSEEN = "".join(
    chr(code)
    for code in (*range(0x80, 0x3100), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0080))
    if unicodedata.category(chr(code)) in {"Cf", "Zs", "Zl", "Zp", "Pd"} or chr(code) == "\u2212"
)
"""What is written and read as nothing, as a space or as a hyphen: it makes no other person."""
_ANY_SPACE = r"[\s\p{Z}]+"
_UNREADABLE = "[" + re.sub(r"\\[xuU]([0-9a-f]+)", r"\\x{\1}", UNREADABLE.replace(r"\ud800-\udfff", "")) + "]"
"""What no label may hold, in the notation of DuckDB's expressions, whose texts have no surrogates."""
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_FLOATS = ("DOUBLE", "FLOAT")
_TEXT, _DATES = "VARCHAR", ("DATE", "TIMESTAMP")
DECIMALS_MAX = 19
_NO_WEIGHT = 5  # 1 + 2 * 5 is a multiple of 11
_EPOCH = "DATE '1970-01-01'"
_DAYS_SPARE = 366  # the longest period
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


@dataclass(frozen=True, slots=True)
class Marks:
    """The codes of a column, and the three marks above them."""

    lo: int
    hi: int

    @property
    def unreadable(self) -> int:
        """A value that is no value of the column."""
        return self.hi + 1

    @property
    def below(self) -> int:
        """A value under the lower bound."""
        return self.hi + 2

    @property
    def above(self) -> int:
        """A value over the upper bound."""
        return self.hi + 3

    @classmethod
    def of(cls, domain: Domain) -> Marks:
        """The marks of a column with this domain."""
        if isinstance(domain, Numbers):
            return cls(domain.lo_code, domain.hi_code)
        if isinstance(domain, Dates):
            return cls(domain.lo, domain.hi)
        if isinstance(domain, Texts):
            raise InternalError("Free text has no codes.")
        return cls(0, len(domain.labels) - 1 if isinstance(domain, Categories) else 1)


def marks_of(domain: Domain) -> tuple[str, str, str]:
    """The marks of a column in SQL: unreadable (a text that is too long), below, above.

    Those of free text are control characters, which no value has.
    """
    if isinstance(domain, Texts):
        return "chr(29)", "chr(30)", "chr(31)"
    marks = Marks.of(domain)
    return str(marks.unreadable), str(marks.below), str(marks.above)


@dataclass(frozen=True, slots=True)
class Reading:
    """SQL expressions for one column, each over the ones before.

    `text` is what the source says, without padding; `raw` the same, NULL if it means that nothing is there;
    `value` the same in a type; `code` its code, NULL if it has none; `marked` the code or the mark.
    """

    text: str
    raw: str
    value: str
    code: str
    marked: str


def integer_type(lo: int, hi: int) -> str:
    """The smallest type that holds the integers from `lo` to `hi`."""
    for name, bits in (("TINYINT", 8), ("SMALLINT", 16), ("INTEGER", 32)):
        if -(2 ** (bits - 1)) <= lo and hi < 2 ** (bits - 1):
            return name
    return "BIGINT"


def read_column(mapping: ColumnMapping, domain: Domain, table: LocalTable, i: int) -> Reading:
    """How the column at position `i` is read; it names `_text_<i>`, `_raw_<i>`, `_value_<i>`, `_code_<i>`."""
    given, raw, value, code = f"_text_{i}", f"_raw_{i}", f"_value_{i}", f"_code_{i}"
    if isinstance(domain, Texts):
        origin = (_text(mapping, table), _present(given, mapping.missing))
        fitting = f"CASE WHEN length({value}) <= {domain.characters_max} THEN {value} END"
        too_long = f"CASE WHEN {value} IS NOT NULL THEN {marks_of(domain)[0]} END"
        return Reading(*origin, _readable(raw), fitting, f"coalesce({code}, {too_long})")
    marks = Marks.of(domain)
    if isinstance(domain, Numbers):
        typed = _typed(mapping, table, (*_WHOLE, *_FLOATS, "DECIMAL"))
        places = _Places.of(domain)
        marked = _marked(raw, code, marks, *_beyond(raw, value, code, domain))
        written = _present(given, mapping.missing)
        if table.decimal_comma:  # with a point it is as little a number as with a comma elsewhere
            written = f"replace(replace({written}, '.', ' '), ',', '.')"
        origin = (typed, given) if typed else (_text(mapping, table), written)
        return Reading(*origin, places.value(raw), places.code(value, domain), marked)
    if isinstance(domain, Dates):
        typed = _typed(mapping, table, _DATES)
        day = f"TRY_CAST({raw} AS DATE)" if typed else _date_of_text(raw, mapping)
        above, below = f"{code} > {marks.hi}", f"{code} < {marks.lo}"
        marked = _marked(raw, code, marks, above, below)
        origin = (typed, given) if typed else (_text(mapping, table), _present(given, mapping.missing))
        return Reading(*origin, day, _days(value, domain), marked)
    spelled = _spelled(mapping, domain)
    position = f"enum_code(TRY_CAST({raw} AS ENUM ({texts(list(spelled))})))"
    listed = f"[{', '.join(map(str, spelled.values()))}][CAST({value} AS INTEGER) + 1]"
    origin = (_text(mapping, table), _present(given, mapping.missing))
    return Reading(*origin, position, listed, _marked(raw, code, marks, "false", "false"))


def person_text(mapping: DatasetMapping, table: LocalTable) -> str:
    """A person's identifier without spaces and hyphens, in capitals: one person, however it is spelled."""
    if mapping.person is None:
        return "NULL"
    given = _as_text(table.columns[mapping.person])
    joined = f"regexp_replace({given}, '{_CONTROLS}', '', 'g')"
    # Most identifiers are ASCII: as many bytes as characters. Looking for all the others would cost far more.
    wide, plain = "".join(map(chr, _WIDE)), "".join(_WIDE.values())
    seen = f"translate(nfc_normalize({joined}), {text(wide + _UNSEEN)}, {text(plain)})"
    ascii_ = f"replace({joined}, '`', {text(chr(39))})"
    return (
        f"CASE WHEN regexp_full_match({given}, '{_PLAIN}') THEN {given} "
        f"ELSE upper(CASE WHEN strlen({given}) = length({given}) THEN {ascii_} ELSE {seen} END) END"
    )


def person_number(mapping: DatasetMapping) -> str:
    """The number that an identifier may be, for `person_code`."""
    return "NULL" if mapping.person_check is PersonCheck.NONE else "TRY_CAST(_who AS BIGINT)"


def person_code(mapping: DatasetMapping) -> str:
    """The identifier of a valid person, else NULL; over `_who` and `_number`.

    NHS numbers: ten digits, not all zero, whose sum with weights 10, 9, ..., 1 is divisible by 11 (NHS Data
    Dictionary: Modulus 11).
    """
    missing = [_plain(value) for value in mapping.person_missing]
    present = f"_who NOT IN ({texts(['', *missing])})"
    if mapping.person_check is PersonCheck.NONE:
        return f"CASE WHEN {present} THEN _who END"
    # A digit is n // 10^i - 10 * (n // 10^(i + 1)): the sum of the weighted ones takes one division each.
    weighted = " + ".join(f"_number // {10**i} * {(1 + 2 * i) % 11}" for i in range(10) if i != _NO_WEIGHT)
    valid = f"regexp_full_match(_who, '[0-9]{{10}}') AND _number > 0 AND ({weighted}) % 11 = 0"
    return f"CASE WHEN {present} AND {valid} THEN _number END"


def _plain(identifier: str) -> str:
    """What `person_text` makes of an identifier."""
    unseen = dict.fromkeys(map(ord, _JOINTS + _UNSEEN))
    seen = "".join(character for character in identifier if unicodedata.category(character) != "Cc")
    return unicodedata.normalize("NFC", seen).translate(unseen | _WIDE).upper()


def _typed(mapping: ColumnMapping, table: LocalTable, types: tuple[str, ...]) -> str | None:
    """The local column itself, if it is typed and its values mean what they are."""
    if len(mapping.sources) != 1 or mapping.missing:
        return None
    column = table.columns[mapping.sources[0]]
    return column.sql if column.type.startswith(types) else None


def _text(mapping: ColumnMapping, table: LocalTable) -> str:
    """The trimmed text of the first local column that is not missing."""
    if mapping.constant is not None:
        return f"nullif({text(mapping.constant.strip(_SPACE))}, '')"
    found = [_trimmed(table.columns[name]) for name in mapping.sources]
    if len(found) == 1:
        return found[0]
    return f"coalesce({', '.join(_present(sql, mapping.missing) for sql in found)})"


def _trimmed(column: LocalColumn) -> str:
    given = _as_text(column)
    if column.type != _TEXT:  # nothing but a text is padded
        return given
    tight = f"regexp_full_match({given}, '{_TIGHT}')"
    return f"CASE WHEN {tight} THEN {given} ELSE trim({given}, {text(_SPACE)}) END"


def _present(sql: str, missing: tuple[str, ...]) -> str:
    return f"CASE WHEN {sql} NOT IN ({texts(('', *missing))}) THEN {sql} END"


def _readable(raw: str) -> str:
    """Free text as one printable line in Unicode's form C, however it was spaced; NULL if nothing is left."""
    spaced = f"regexp_replace({raw}, {text(_ANY_SPACE)}, ' ', 'g')"
    shown = f"regexp_replace({spaced}, {text(_UNREADABLE)}, '', 'g')"
    single = f"regexp_replace({shown}, '  +', ' ', 'g')"  # what stood between two spaces may be gone
    return f"nullif(trim(nfc_normalize({single})), '')"


def _as_text(column: LocalColumn) -> str:
    if column.type not in _FLOATS:
        return column.sql if column.type == _TEXT else f"CAST({column.sql} AS {_TEXT})"
    # Whole numbers that a tool stored as floats, because some are missing, mean what they look like.
    whole = f"{column.sql} = floor({column.sql}) AND abs({column.sql}) < 9e15"
    return (
        f"CASE WHEN {whole} THEN CAST(TRY_CAST({column.sql} AS BIGINT) AS {_TEXT}) "
        f"ELSE CAST({column.sql} AS {_TEXT}) END"
    )


def _marked(raw: str, code: str, marks: Marks, above: str, below: str) -> str:
    return (
        f"CAST(CASE WHEN {code} BETWEEN {marks.lo} AND {marks.hi} THEN {code} "
        f"WHEN {raw} IS NULL THEN NULL WHEN {above} THEN {marks.above} WHEN {below} THEN {marks.below} "
        f"ELSE {marks.unreadable} END AS {integer_type(marks.lo, marks.above)})"
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """How a number is read: with so many decimals, in a type of 64 or 128 bits.

    `step` counts last places in one step of the column. Where it is 1 the code is the number without its
    point; a coarser step takes six more decimals, so that rounding twice does not show. `narrow` says that
    the point can be moved within 64 bits.
    """

    decimals: int
    step: Fraction
    wide: bool
    narrow: bool

    @classmethod
    def of(cls, domain: Numbers) -> _Places:
        """The fewest decimals that hold the step, and the least type that holds the bounds."""
        decimals = next((n for n in range(DECIMALS_MAX) if (domain.step * 10**n).denominator == 1), 0)
        if domain.step * 10**decimals != 1:
            decimals += 6
        reach = max(abs(domain.lo), abs(domain.hi)) + 3 * domain.step
        while decimals and reach * 10 ** (2 * decimals) * 4 * domain.step.denominator > 10**36:
            decimals -= 1
        step = domain.step * 10**decimals
        wide = reach * 10**decimals * 4 * step.denominator >= 10**18
        return cls(decimals, step, wide, narrow=reach * 10 ** (2 * decimals) < 10**17)

    def value(self, raw: str) -> str:
        """The number; NULL for what is none, or far too large."""
        if not self.decimals:
            return f"TRY_CAST({raw} AS {self._integer})"
        return f"TRY_CAST({raw} AS DECIMAL({38 if self.wide else 18}, {self.decimals}))"

    def code(self, value: str, domain: Numbers) -> str:
        """The nearest multiple of the step, in steps; NULL far outside the bounds, where it may overflow."""
        last = value
        if self.decimals:
            room = value if self.narrow else f"CAST({value} AS DECIMAL(38, {self.decimals}))"
            last = f"CAST({room} * {10**self.decimals} AS {self._integer})"
        lo, hi = self.limits(domain)
        a, b = self.step.numerator, self.step.denominator
        if self.step != 1:
            # From 2 steps under the lower bound upward, so that the division never sees a negative number.
            last = f"({last} * {2 * b} + {a * (5 - 2 * domain.lo_code)}) // {2 * a} + {domain.lo_code - 2}"
        return f"CASE WHEN {value} BETWEEN {lo} AND {hi} THEN {last} END"

    def limits(self, domain: Numbers) -> tuple[str, str]:
        """The bounds as decimals, with 2 steps to spare where a value may still be rounded into them."""
        spare = 0 if self.step == 1 else 2 * domain.step
        lo, hi = (end * 10**self.decimals for end in (domain.lo - spare, domain.hi + spare))
        return _decimal(math.ceil(lo), self.decimals), _decimal(math.floor(hi), self.decimals)

    @property
    def _integer(self) -> str:
        return "HUGEINT" if self.wide else "BIGINT"


def _beyond(raw: str, value: str, code: str, domain: Numbers) -> tuple[str, str]:
    """Whether a number without a code in bounds lies above them, and whether below, as 1e300 and inf do."""
    number = f"TRY_CAST({raw} AS DOUBLE)"
    lo, hi = _Places.of(domain).limits(domain)
    far = f"{value} IS NULL AND NOT isnan({number}) AND {number}"
    above = f"{code} > {domain.hi_code} OR {value} > {hi} OR ({far} > {float(domain.hi)!r})"
    below = f"{code} < {domain.lo_code} OR {value} < {lo} OR ({far} < {float(domain.lo)!r})"
    return above, below


def _decimal(digits: int, decimals: int) -> str:
    shown = str(abs(digits)).rjust(decimals + 1, "0")
    point = len(shown) - decimals
    return f"{'-' if digits < 0 else ''}{shown[:point]}{'.' if decimals else ''}{shown[point:]}"


def _date_of_text(raw: str, mapping: ColumnMapping) -> str:
    return f"CAST(try_strptime({raw}, [{texts(mapping.date_formats or (ISO_DATE,))}]) AS DATE)"


def _days(value: str, domain: Dates) -> str:
    """Days since 1970 of the date, or of the first day of its week, month or year.

    A date far from the bounds is first moved to just out of them: not every date has a week or a month that
    the type can hold, and one row must not stop the others.
    """
    day = value
    if domain.every is not Every.DAY:
        lo, hi = (f"{_EPOCH} + ({end})" for end in (domain.lo - _DAYS_SPARE, domain.hi + _DAYS_SPARE))
        near = f"least(greatest({value}, {lo}), {hi})"
        day = f"CAST(date_trunc({text(domain.every.value)}, {near}) AS DATE)"
    return f"CASE WHEN isfinite({value}) THEN {day} - {_EPOCH} END"


def _spelled(mapping: ColumnMapping, domain: Domain) -> dict[str, int]:
    """Every known local spelling of a category or truth value, with its code."""
    labels = labels_of(domain)
    if labels is None:
        raise InternalError("Only categories and truth values are spelled.")
    spelled = {label.strip(_SPACE): i for i, label in enumerate(labels)}
    if isinstance(domain, Truth):
        for code, words in enumerate((_FALSE, _TRUE)):
            spelled |= {form: code for word in words for form in (word, word.upper(), word.capitalize())}
    return spelled | {local: labels.index(label) for local, label in mapping.codes.items()}
