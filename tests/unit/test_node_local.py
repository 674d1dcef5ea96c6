"""The parts behind the node's local commands: guesses, written configurations, datasets, trials, locks."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_node import PEOPLE, make_home, open_node
from samples import NOW_S, sample_dataset, sample_query, sample_round

from fedstats.core.privacy import Mechanism, MechanismLoss
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, OnInvalid, PersonCheck, Source, SourceKind
from fedstats.errors import AgreementNotInForce, AlreadyExists, EditionMissing, NameUnknown
from fedstats.node.alone import alone
from fedstats.node.config import LifetimeTerms, NodeConfig, config_of
from fedstats.node.config_text import config_text
from fedstats.node.datasets import Held, find_dataset, held_datasets
from fedstats.node.home import Home
from fedstats.node.service import Node
from fedstats.node.suggesting import kind_of, suggest_columns, suggest_label
from fedstats.node.trial import newest_edition, try_round


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node of north that holds 2025-09."""
    with open_node(make_home(tmp_path)) as opened:
        yield opened


@pytest.fixture
def held(node: Node) -> Held:
    """The sample dataset as the node knows it."""
    (found,) = held_datasets(node.agreements.all(), "north")
    return found


TEXTS = st.text(min_size=1, max_size=12).filter(lambda text: text == text.strip())
COLUMNS = st.builds(
    ColumnMapping,
    st.sampled_from([column.name for column in sample_dataset().columns]),
    local=st.lists(TEXTS, max_size=3).map(tuple),
    codes=st.dictionaries(TEXTS, TEXTS, max_size=3),
    date_formats=st.lists(st.sampled_from(["%Y-%m-%d", "%d/%m/%Y"]), max_size=2).map(tuple),
    on_invalid=st.sampled_from([None, *OnInvalid]),
    default=st.none() | TEXTS,
)
SOURCES = st.builds(
    Source, st.just(SourceKind.CSV), TEXTS.map(lambda name: Path("/data") / name), st.sampled_from(",;\t|")
) | st.builds(Source, st.just(SourceKind.DUCKDB), st.just(Path("/data/x.duckdb")), table=TEXTS)
MAPPINGS = st.builds(
    DatasetMapping,
    st.just("rtt"),
    SOURCES,
    person=st.none() | TEXTS,
    person_check=st.sampled_from(PersonCheck),
    person_missing=st.lists(TEXTS, max_size=2).map(tuple),
    columns=st.lists(COLUMNS, max_size=4, unique_by=lambda column: column.column).map(tuple),
    opt_out_list=st.none() | TEXTS.map(lambda name: Path("/lists") / name),
)


@given(MAPPINGS)
def test_a_written_configuration_is_read_back(mapping: DatasetMapping) -> None:
    """Whatever a sitting found out, node.toml says it in a form that means the same when it is read."""
    terms = LifetimeTerms(Fraction(25, 2), Fraction(1, 100_000))
    config = NodeConfig(tasks_max=3, lifetime={"nhs_number": terms}, datasets=(mapping,))
    assert config_of(tomllib.loads(config_text(config)), folder=Path("/etc")) == config


def test_guesses_look_alike_and_are_not_given_twice() -> None:
    """Same letters come first, then beginnings, then what is close; a local column is suggested once."""
    local = ["NHS No", "AgeYears", "COST", "Gender", "START_DATE", "Urgent?", "Postcode"]
    assert suggest_columns(sample_dataset(), local) == {
        "nhs_number": "NHS No",
        "age": "AgeYears",
        "cost": "COST",
        "started": "START_DATE",
        "urgent": "Urgent?",
        "postcode_area": "Postcode",
    }
    assert suggest_columns(sample_dataset(), []) == {}


@pytest.mark.parametrize(
    "code, labels, expected",
    [
        ("f", ("F", "M"), "F"),
        ("Female", ("F", "M"), "F"),
        ("110", ("C_100", "C_110", "X06"), "C_110"),
        ("c-110", ("C_100", "C_110"), "C_110"),
        ("T&O", ("C_100", "C_110"), ""),
        ("9", ("C_109", "C_119"), ""),
        ("", ("F", "M"), ""),
        ("?", ("F", "M"), ""),
    ],
)
def test_a_label_is_guessed_only_where_one_fits(code: str, labels: tuple[str, ...], expected: str) -> None:
    """A code that could be two labels, or none, is left to a person."""
    assert suggest_label(code, labels) == expected


def test_the_kind_of_a_source_shows_in_its_name() -> None:
    """Parquet and DuckDB files are recognised; everything else is read as CSV."""
    assert kind_of(Path("/data/*.parquet")) is SourceKind.PARQUET
    assert kind_of(Path("/data/x.DuckDB")) is SourceKind.DUCKDB
    assert kind_of(Path("/data/export")) is SourceKind.CSV


def test_a_dataset_is_found_by_name_or_alone(held: Held) -> None:
    """The only dataset needs no name; a wrong or an ambiguous one is answered with what there is."""
    assert find_dataset([held], "") == held
    assert find_dataset([held], "rtt", agreement="RTT-2026") == held
    twin = replace(held, dataset=replace(held.dataset, name="other"))
    with pytest.raises(NameUnknown, match="other, rtt"):
        find_dataset([held, twin], "")
    with pytest.raises(NameUnknown, match="did you mean rtt"):
        find_dataset([held, twin], "rt")
    with pytest.raises(AgreementNotInForce):
        find_dataset([held], "rtt", agreement="OTHER")
    with pytest.raises(AgreementNotInForce):
        find_dataset([], "")


def test_only_what_the_department_holds_is_listed(node: Node) -> None:
    """A department sees the datasets that name it as a holder, in the version that it accepted."""
    standings = node.agreements.all()
    assert held_datasets(standings, "east") == ()
    accepted = standings[0]
    newer = replace(accepted, agreement=replace(accepted.agreement, version=2), accepted_s=None)
    assert held_datasets([newer, accepted], "north")[0].standing == accepted
    withdrawn = replace(accepted, withdrawn_s=NOW_S)
    assert held_datasets([newer, withdrawn], "north")[0].standing == newer


def test_a_trial_is_noisy_and_leaves_no_trace(node: Node, held: Held) -> None:
    """Two trials differ, both are near the truth, and neither ledger nor record knows of them."""
    edition = newest_edition(node, held)
    loss = MechanismLoss(Mechanism.GAUSSIAN, Fraction(1, 1000))
    asked, where = sample_round(), sample_query().where
    results = [try_round(node, held, edition, asked, where, loss) for _ in range(2)]
    exact = asked.aggregates[0].reference(PEOPLE, sample_dataset(), where)
    for result in results:
        for noisy, true, scale in zip(result.total[0], exact.vectors, result.scales[0], strict=True):
            assert np.all(abs(noisy - true) < 10 * float(scale))  # fails once in 1e22
    assert any(np.any(a != b) for a, b in zip(results[0].total[0], results[1].total[0], strict=True))
    assert node.ledger.entries() == ()


def test_a_trial_needs_an_edition(node: Node, held: Held) -> None:
    """The newest edition by the schedule is taken; without any, the command to make one is named."""
    assert newest_edition(node, held).name == "2025-09"
    assert newest_edition(node, held, "2025-09").name == "2025-09"
    with pytest.raises(EditionMissing):
        newest_edition(node, held, "2025-10")
    node.editions.delete("RTT-2026", now_s=NOW_S)
    with pytest.raises(EditionMissing) as refused:
        newest_edition(node, held)
    assert "fedstats node refresh" in str(refused.value)


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    """A second daemon is refused while the first runs, and not after it was killed."""
    home = Home(tmp_path)
    with alone(home), pytest.raises(AlreadyExists), alone(home):
        pass
    code = (
        "import os, sys; from pathlib import Path; from fedstats.node.alone import alone; "
        "from fedstats.node.home import Home; lock = alone(Home(Path(sys.argv[1]))); lock.__enter__(); "
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    with alone(home):
        pass


def test_what_killed_computations_left_is_swept(node: Node) -> None:
    """Leftovers of a day ago are removed; editions and what may still be in use stay."""
    folder = node.home.editions / "RTT-2026" / "rtt"
    for name, made_s in ((".computing-a", NOW_S - 100_000), (".making-b", NOW_S)):
        (folder / name).mkdir()
        (folder / name / "spill").write_text("rows")
        os.utime(folder / name, (made_s, made_s))
    node.editions.sweep(now_s=NOW_S)
    assert sorted(path.name for path in folder.iterdir()) == [".making-b", "2025-09.duckdb"]
