"""Opt-outs: whoever is on the list is left out, however the list and the source are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from editions import NUMBERS, PEOPLE, ROWS, contents, csv_of, make, mapped

from fedstats.core.agreement import ListKind
from fedstats.engines.mapping import DatasetMapping, PersonCheck
from fedstats.errors import OptOutListProblem

MESH = b"\xef\xbb\xbf9434765919,\r\n943 476 5870 , \r\n\r\n"
"""As the NHS sends it: a number and a comma a line, Windows' ends of lines, a byte order mark, blanks."""


def test_whoever_opted_out_is_left_out(tmp_path: Path) -> None:
    """Everybody on the list is left out with all rows, however the number is written on either side."""
    text = f"who,age,ward\n{NUMBERS[0]},1,A\n943-476-5919,2,A\n{NUMBERS[1]},3,A\n"
    (tmp_path / "optout.txt").write_text("\ufeff943 476 5919,\r\n\r\n", encoding="utf-8")
    mapping = mapped(csv_of(tmp_path / "rows.csv", text), person_check=PersonCheck.NHS_NUMBER)
    report = make(mapping, PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    assert (report.rows_opted_out, report.rows_kept) == (2, 1)


def test_only_whom_an_allow_list_names_stays(tmp_path: Path) -> None:
    """An allow list in the MESH format leaves out everybody else with all rows; a deny list those on it."""
    text = "who,age,ward\n" + "".join(f"{n},{age},A\n" for age, n in enumerate((*NUMBERS, NUMBERS[0], "")))
    (tmp_path / "list.txt").write_bytes(MESH)
    mapping = mapped(csv_of(tmp_path / "rows.csv", text), person_check=PersonCheck.NHS_NUMBER)
    kept = {
        kind: make(mapping, PEOPLE, tmp_path / kind.value, opt_outs=tmp_path / "list.txt", list_kind=kind)
        for kind in ListKind
    }
    allow, deny = kept[ListKind.ALLOW], kept[ListKind.DENY]
    assert (allow.rows_opted_out, allow.rows_kept, allow.people_found) == (1, 3, 2)
    assert (deny.rows_opted_out, deny.rows_kept, deny.people_found) == (3, 1, 2)
    assert allow.rows_without_person == deny.rows_without_person == 1
    ages = {kind: {row[1] for row in contents(tmp_path / kind.value, PEOPLE)} for kind in ListKind}
    assert ages == {ListKind.ALLOW: {0, 1, 3}, ListKind.DENY: {2}}


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n \r\n"])
def test_an_empty_allow_list_makes_no_edition(content: bytes, tmp_path: Path) -> None:
    """Nobody would stay: that is a fetch that failed, and its answers would look like ones about people."""
    (tmp_path / "list.txt").write_bytes(content)
    source = csv_of(tmp_path / "rows.csv", "who,age,ward\nab1,1,A\n")
    with pytest.raises(OptOutListProblem, match="names nobody"):
        make(
            mapped(source),
            PEOPLE,
            tmp_path / "edition",
            opt_outs=tmp_path / "list.txt",
            list_kind=ListKind.ALLOW,
        )
    assert not (tmp_path / "edition").exists()
    report = make(mapped(source), PEOPLE, tmp_path / "denied", opt_outs=tmp_path / "list.txt")
    assert (report.rows_opted_out, report.rows_kept) == (0, 1)


@pytest.mark.parametrize("line", ["9434765918,", "nobody,", "9434765919,9434765870,", "9434765919;"])
def test_an_opt_out_that_cannot_be_read_stops_the_edition(line: str, tmp_path: Path) -> None:
    """A line that names nobody might be somebody who opted out: nothing is made, and no line is shown."""
    (tmp_path / "optout.txt").write_text(f"9434765870,\n{line}\n", encoding="utf-8")
    source = csv_of(tmp_path / "rows.csv", "who,age,ward\n")
    mapping = mapped(source, person_check=PersonCheck.NHS_NUMBER)
    with pytest.raises(OptOutListProblem, match=r"optout.txt has 1 lines .* line 2") as caught:
        make(mapping, PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    assert line not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["ab1\u200b,", "\uff41\uff42\uff11,", "a\u2013b1", "ab1\u00ad,", " A B\u3000-1", "\u2060ab1,\t"]
)
def test_an_opt_out_counts_however_it_is_written(line: str, tmp_path: Path) -> None:
    """What nobody sees, and other kinds of hyphens, spaces and letters, hide nobody's opt-out."""
    (tmp_path / "optout.txt").write_text(f"{line}\n", encoding="utf-8")
    name = line.strip(",\t")
    source = csv_of(tmp_path / "rows.csv", f"who,age,ward\nab1,1,A\n{name},2,A\nab2,3,A\n")
    report = make(mapped(source), PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    assert (report.rows_opted_out, report.people_listed, report.people_found) == (2, 1, 1)


@pytest.mark.parametrize(
    "line, name",
    [
        ("o'neil,", "O\u2019Neil"),
        ("O\u2019NEIL", "o'neil"),
        ("o`neil", "O'NEIL"),
        ("ab1,", "a\x07b\x7f1"),
        ("ab1,", "ab1\x00"),
        ("\u00e4b1", "a\u0308b\x01\u00851"),
    ],
)
def test_apostrophes_and_what_no_screen_shows_hide_nobody(line: str, name: str, tmp_path: Path) -> None:
    """An apostrophe is one in all its forms, and control characters in the source make nobody else."""
    (tmp_path / "optout.txt").write_text(f"{line}\n", encoding="utf-8")
    source = csv_of(tmp_path / "rows.csv", f"who,age,ward\n{name},1,A\nab2,3,A\n")
    report = make(mapped(source), PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    assert (report.rows_opted_out, report.people_found, report.rows_kept) == (1, 1, 1)


@pytest.mark.parametrize("line", ['"ab1",', "'ab1',", "ab1\x00,", "\u201cab1\u201d"])
def test_an_opt_out_with_strange_characters_is_named_by_its_line(line: str, tmp_path: Path) -> None:
    """Quotes and control characters would make somebody else of a person: the list must be corrected."""
    (tmp_path / "optout.txt").write_text(f"ab2,\n{line}\n", encoding="utf-8")
    source = csv_of(tmp_path / "rows.csv", "who,age,ward\nab1,1,A\n")
    with pytest.raises(OptOutListProblem, match=r"optout.txt, line 2: it has") as caught:
        make(mapped(source), PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    assert "ab1" not in str(caught.value)


@pytest.mark.parametrize("heading", ["nhs_number", "WHO,", "NHS Number"])
def test_a_heading_is_nobody(heading: str, tmp_path: Path) -> None:
    """A list with a heading is not what it should be, and its heading is not taken for a person."""
    (tmp_path / "optout.txt").write_text(f"{heading}\nab1,\n", encoding="utf-8")
    source = csv_of(tmp_path / "rows.csv", "who,age,ward\nab1,1,A\n")
    with pytest.raises(OptOutListProblem, match="line 1: it is a heading"):
        make(mapped(source), PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")


def test_a_long_list_that_knows_nobody_stops_the_edition(tmp_path: Path) -> None:
    """Twenty people of whom none is known: the list is of another kind of identifier."""
    (tmp_path / "optout.txt").write_text("".join(f"x{i},\n" for i in range(20)), encoding="utf-8")
    source = csv_of(tmp_path / "rows.csv", "who,age,ward\nab1,1,A\n")
    with pytest.raises(OptOutListProblem, match="None of the 20 people"):
        make(mapped(source), PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    (tmp_path / "optout.txt").write_text("".join(f"ab{i},\n" for i in range(20)), encoding="utf-8")
    report = make(mapped(source), PEOPLE, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
    assert (report.people_listed, report.people_found) == (20, 1)


def test_opt_outs_need_persons(tmp_path: Path) -> None:
    """A list of people cannot be applied to rows without people, and is not ignored either."""
    source = csv_of(tmp_path / "rows.csv", "age,ward\n")
    with pytest.raises(OptOutListProblem):
        make(DatasetMapping("visits", source), ROWS, tmp_path / "edition", opt_outs=tmp_path / "optout.txt")
