"""A statistic's fields are its parameters: options, values and words are made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar

import pytest

from fedstats.client.parameters import (
    Parameter,
    ValueKind,
    canonical,
    checked,
    parameters_of,
    plain_of,
    split_at_commas,
    text_of,
)
from fedstats.errors import ParameterInvalid, StatisticUnreadable


@dataclass(frozen=True, slots=True)
class Everything:
    """Has a field of each type."""

    name: ClassVar[str] = "everything"
    dataset: str
    rows: int = 3
    share: float = 0.5
    exact: bool = False
    since: date | None = None
    by: tuple[str, ...] = ()
    weeks: tuple[int, ...] = field(default=(18, 52), metadata={"help": "Weeks.", "free": True})
    points: tuple[float, ...] | None = None


PARAMETERS = parameters_of(Everything)
NAMED = {parameter.name: parameter for parameter in PARAMETERS}


def test_fields_are_read_in_their_order() -> None:
    """Name, kind, default and freedom of every field; a class variable is none of them."""
    assert [p.name for p in PARAMETERS] == [
        "dataset", "rows", "share", "exact", "since", "by", "weeks", "points",
    ]  # fmt: skip # one mistake a line
    assert NAMED["dataset"] == Parameter("dataset", ValueKind.TEXT, required=True)
    assert NAMED["weeks"].default == [18, 52]
    assert [p.name for p in PARAMETERS if p.free] == ["weeks"]
    assert [p.name for p in PARAMETERS if p.optional] == ["since", "points"]


@pytest.mark.parametrize(
    "name, typed, value",
    [
        ("dataset", ["rtt"], "rtt"),
        ("rows", ["7"], 7),
        ("share", ["1e-1"], 0.1),
        ("since", ["2026-01-31"], date(2026, 1, 31)),
        ("by", ["sex, CLAMP(age, 0, 90)", "department"], ("sex", "CLAMP(age, 0, 90)", "department")),
        ("by", ["CASE WHEN x = 'a,b' THEN 1 ELSE 0 END"], ("CASE WHEN x = 'a,b' THEN 1 ELSE 0 END",)),
        ("by", [""], ()),
        ("weeks", ["18,26", "52"], (18, 26, 52)),
    ],
)
def test_what_is_typed_becomes_a_value_and_its_plain_form_gives_it_back(
    name: str, typed: list[str], value: object
) -> None:
    """Commas part values, not what stands in brackets or quotation marks."""
    read = NAMED[name].read(typed)
    assert read == value
    assert NAMED[name].value(plain_of(read)) == value


@pytest.mark.parametrize(
    "name, typed", [("rows", "7.5"), ("share", "nan"), ("since", "31.1.2026"), ("weeks", "18,x")]
)
def test_what_cannot_be_read_is_said_so(name: str, typed: str) -> None:
    """The option, what it takes, and what was typed."""
    with pytest.raises(ParameterInvalid, match=rf"--{name} takes .*not"):
        NAMED[name].read([typed])


@pytest.mark.parametrize(
    "plain, words",
    [
        ({"dataset": "rtt", "row": 1}, "no parameter 'row'; did you mean rows"),
        ({"rows": 1}, "everything needs --dataset"),
        ({"dataset": "rtt", "rows": True}, "--rows takes a whole number"),
        ({"dataset": "rtt", "by": "sex"}, "--by takes values"),
        ({"dataset": None}, "--dataset takes a text"),
    ],
)
def test_values_of_another_type_are_refused(plain: dict[str, object], words: str) -> None:
    """Nothing is guessed: a truth is no number, one text no tuple, and what must be given is."""
    with pytest.raises(ParameterInvalid, match=words) as caught:
        checked("everything", PARAMETERS, plain)
    assert "Nothing was spent." in str(caught.value)


def test_the_words_leave_defaults_out_and_keep_the_order() -> None:
    """However it was given, one statistic has one text in the register."""
    given = {"since": "2026-01-31", "rows": 3, "by": ["sex"], "dataset": 'r"tt', "share": 1}
    plain = canonical("everything", PARAMETERS, given)
    words = 'everything(dataset="r\\"tt", share=1.0, since="2026-01-31", by=["sex"])'
    assert text_of("everything", plain) == words
    assert Everything(**checked("everything", PARAMETERS, plain)).since == date(2026, 1, 31)  # type: ignore[arg-type] # values of any type


@pytest.mark.parametrize("text, words", [("x" * 4_001, "up to 4,000 characters"), ("\udcff", "in UTF-8")])
def test_a_text_is_one_that_can_be_shown_and_written(text: str, words: str) -> None:
    """As the register shows it whole, and as files hold it: also a part of several, and a free one."""
    for plain in ({"dataset": text}, {"dataset": "rtt", "by": ["sex", text]}):
        with pytest.raises(ParameterInvalid, match=words):
            checked("everything", PARAMETERS, plain)


def test_types_that_nobody_can_type_are_no_parameters() -> None:
    """A field of another type, or a class that could change under way, is refused with what to write."""

    @dataclass(frozen=True)
    class Strange:
        dataset: str
        where: dict[str, str]

    @dataclass
    class Loose:
        dataset: str

    with pytest.raises(StatisticUnreadable, match="where of Strange"):
        parameters_of(Strange)
    with pytest.raises(StatisticUnreadable, match="no frozen dataclass"):
        parameters_of(Loose)


def test_commas_part_only_outside_brackets() -> None:
    """Also where brackets and quotation marks are not closed: nothing is lost."""
    assert list(split_at_commas("a,(b,c),'d,e")) == ["a", "(b,c)", "'d,e"]
    assert list(split_at_commas("")) == []
