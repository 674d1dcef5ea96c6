"""node.toml: strict, and shown whole by its example."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import pytest

from fedstats.core.accounting import epsilon_from_rho
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, Source
from fedstats.errors import ConfigInvalid, FileProblem, MappingInvalid
from fedstats.node.approval_terms import Approver, Decide, PolicyTerms
from fedstats.node.caps import CapKind
from fedstats.node.config import LifetimeTerms, NodeConfig, config_of, read_config
from fedstats.node.config_example import example_config
from fedstats.wire.network import Network

CALLED = {"column": "columns", "local": "from", "delta": "delta"}  # fields that node.toml calls otherwise


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    """What `config --example` prints can be read as it is."""
    path = tmp_path / "node.toml"
    path.write_text(example_config())
    config = read_config(path)
    assert config.mapping("waiting_list").column("provider").constant == "RJ1"
    assert config.lifetime["nhs_number"] == LifetimeTerms(Fraction(20), Fraction(1, 100_000))
    assert config.mapping("waiting_list").opt_out_list == tmp_path / "optout.txt"


def test_the_example_shows_every_setting() -> None:
    """Every field of every class of the configuration is in the example, and each default is the real one."""
    example = example_config()
    for kind in (
        NodeConfig,
        PolicyTerms,
        Approver,
        Network,
        LifetimeTerms,
        DatasetMapping,
        Source,
        ColumnMapping,
    ):
        for setting in fields(kind):
            name = CALLED.get(setting.name, setting.name)
            assert re.search(rf"(^|[# .\[]){name}( =|[.\]])", example, re.MULTILINE), name
    defaults = NodeConfig()
    shown = dict(re.findall(r"^# (\w+) = (\d+)$", example, re.MULTILINE))
    names = ("tasks_max", "threads", "memory_mb", "reply_deadline_s")
    kept_alive = ("keepalive_s", "keepalive_timeout_s")
    assert shown == {name: str(getattr(defaults, name)) for name in names} | {
        name: str(getattr(defaults.coordinator, name)) for name in kept_alive
    } | {"approvals_needed": "1"}


def test_commented_settings_can_be_switched_on() -> None:
    """Whoever removes the # before a setting gets a configuration that is read."""
    switched = re.sub(r"^# (\w+ = )", r"\1", example_config(), flags=re.MULTILINE)
    switched = re.sub(r"^(default|table) = .*\n", "", switched, flags=re.MULTILINE)
    config = config_of(tomllib.loads(switched), folder=Path("/etc/fedstats"))
    assert config.tasks_max == 2
    assert config.policy.rule("RTT-2026").decide is Decide.EACH
    assert config.datasets[0].person_missing == ("0000000000",)
    assert config.coordinator.proxy_credentials_file == Path("/etc/fedstats/proxy-credentials")


def test_a_relative_path_starts_at_the_file(tmp_path: Path) -> None:
    """Where node.toml lies decides what a relative path in it means, not where a command is typed."""
    path = tmp_path / "node.toml"
    path.write_text('[[datasets]]\ndataset = "rtt"\nsource = { kind = "csv", path = "data/rtt.csv" }\n')
    assert read_config(path).mapping("rtt").source.path == tmp_path / "data" / "rtt.csv"


@pytest.mark.parametrize(
    "text",
    [
        "task_max = 2",
        "tasks_max = 0",
        "tasks_max = 1000",
        'tasks_max = "2"',
        "memory_mb = 1",
        "threads = 0",
        "[lifetime.nhs_number]\nepsilon = '1'",
        "[lifetime.nhs_number]\nepsilon = '0'\ndelta = '0.00001'",
        "[lifetime.nhs_number]\nepsilon = '1001'\ndelta = '0.00001'",
        "[lifetime.nhs_number]\nepsilon = '1'\ndelta = '0.1'",
        "[lifetime.nhs_number]\nepsilon = 1.5\ndelta = '0.00001'",
        "[lifetime.'NHS number']\nepsilon = '1'\ndelta = '0.00001'",
        "[[datasets]]\ndataset = 'rtt'",
        "[[datasets]]\ndataset = 'rtt'\nsource = { kind = 'csv', path = 'x', colour = 'red' }",
        "[[datasets]]\ndataset = 'rtt'\nsource = { kind = 'csv', path = 'x' }\n" * 2,
        "not toml",
        "tasks_max = 2\ntasks_max = 3",
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    """A misspelt, mistyped or impossible setting is an error, never a default."""
    path = tmp_path / "node.toml"
    path.write_text(text)
    with pytest.raises(ConfigInvalid):
        read_config(path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """Whoever has no node.toml yet is told how to get one."""
    with pytest.raises(FileProblem, match=r"node\.toml") as refused:
        read_config(tmp_path / "node.toml")
    assert "fedstats node init" in str(refused.value)


def test_an_unmapped_dataset_says_what_to_add() -> None:
    """A dataset that node.toml does not locate is named, with the table to add."""
    with pytest.raises(MappingInvalid, match="rtt") as refused:
        NodeConfig().mapping("rtt")
    assert "[[datasets]]" in str(refused.value)


def test_a_lifetime_cap_means_its_epsilon() -> None:
    """The rho that the ledger charges against is what the typed epsilon allows, and not more."""
    cap = LifetimeTerms(Fraction(20), Fraction(1, 100_000)).cap("nhs_number")
    assert (cap.kind, cap.name) == (CapKind.LIFETIME, "nhs_number")
    assert cap.budget.delta_add + cap.delta_conversion == Fraction(1, 100_000)
    assert 19.99 < epsilon_from_rho(cap.budget.rho, cap.delta_conversion) <= 20
