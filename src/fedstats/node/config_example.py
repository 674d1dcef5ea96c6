"""The commented node.toml that people start from, made from the configuration's classes."""

from __future__ import annotations

import textwrap
from dataclasses import MISSING, fields

from fedstats.journal.settings import LogTerms, MetricsTerms, example
from fedstats.node.approval_terms import PolicyTerms
from fedstats.node.config import LifetimeTerms, NodeConfig, WitnessTerms
from fedstats.wire.network import Network

WIDTH = 100

_HEAD = (
    "The configuration of a fedstats node: where this department's data is, and what its IT allows. What may "
    "be asked is in the agreements that the department accepted. Every setting is here; those that are "
    "commented out have their default. Relative paths start at the folder of this file. Unknown settings are "
    "refused."
)

_DATASETS = """\
[[datasets]]
dataset = "waiting_list"           # its name in the agreement
person = "NHS_NO"                  # the local column that identifies people; none where the unit is the row
# person_check = "nhs_number"      # or "none"; rows whose identifier fails the check are left out
# person_missing = ["0000000000"]  # identifiers that mean that the person is unknown
opt_out_list = "optout.txt"        # one identifier and a comma a line; needed if the agreement says so
# opt_out_kind = "deny"            # or "allow": only people on the list are counted; as the agreement says

# The rows: CSV or Parquet files (a path with * for several), or a table of a DuckDB file.
[datasets.source]
kind = "csv"                       # or "parquet", "duckdb"
path = "/srv/waiting-list/*.csv"
# delimiter = ","                  # CSV only
# encoding = "utf-8"               # CSV only; or "latin-1", "utf-16"
# decimal = "."                    # CSV only; or "," for numbers such as 3,5
# table = "main.pathways"          # DuckDB only

# One table for each shared column that the source names or writes in its own way; the others need none.
[datasets.columns.treatment_function]
from = "TFC"                       # or: from_first_of = ["TFC", "OLD_TFC"]
# Local code = shared label; a label stands for itself.
codes = { "110" = "C_110", "T&O" = "C_110" }
# default = "X06"                  # the label of codes that nothing maps
# missing = ["N/A", "."]           # texts that mean missing; an empty one always does
# What becomes of values that cannot be read or lie out of bounds: "missing", "drop_row" or "clip".
# Without it they are missing where the column may be missing, and elsewhere the row is dropped.
# on_invalid = "drop_row"

[datasets.columns.rtt_start_date]
from = "CLOCK_START"
date_formats = ["%d/%m/%Y", "%Y-%m-%d"]  # tried in this order

[datasets.columns.provider]
constant = "RJ1"                   # for a column that the source does not have
"""


_TERMS: dict[str, LogTerms | MetricsTerms] = {"log": LogTerms(), "metrics": MetricsTerms()}


def example_config() -> str:
    """All of node.toml, with the meaning and the default of every setting."""
    parts = [comment(_HEAD), ""]
    for setting in fields(NodeConfig):
        about = comment(setting.metadata["about"])
        if setting.name == "lifetime":
            parts += [about, "[lifetime.nhs_number]", *_lifetime(), ""]
        elif setting.name in _TERMS:
            parts += [about, f"[{setting.name}]", *_terms(_TERMS[setting.name]), ""]
        elif setting.name == "policy":
            parts += [about, "[policy]", *_policy(), ""]
        elif setting.name == "witness":
            (file,) = fields(WitnessTerms)
            shown = [comment(file.metadata["about"]), f"# file = {file.metadata['example']}"]
            parts += [about, "[witness]", *shown, ""]
        elif setting.name == "coordinator":
            parts += [about, "[coordinator]", *_network(), ""]
        elif setting.name == "datasets":
            parts += [about, _DATASETS]
        elif setting.default is not MISSING:
            parts += [about, f"# {setting.name} = {setting.default}", ""]
    return "\n".join(parts)


def _terms(terms: LogTerms | MetricsTerms) -> list[str]:
    return [line for about, name, value in example(terms) for line in (comment(about), f"# {name} = {value}")]


def _policy() -> list[str]:
    lines = []
    for setting in fields(PolicyTerms):
        lines += [comment(setting.metadata["about"]), f"# {setting.name} = {setting.metadata['example']}"]
    return lines


def _lifetime() -> list[str]:
    lines = []
    for setting in fields(LifetimeTerms):
        lines += [
            comment(setting.metadata["about"]),
            f"{setting.name} = {setting.metadata['example']}",
        ]
    return lines


def _network() -> list[str]:
    lines = []
    for setting in fields(Network):
        lines += [comment(setting.metadata["about"]), f"# {setting.name} = {setting.metadata['example']}"]
    return lines


def comment(text: str) -> str:
    """The text as lines of a TOML comment."""
    return textwrap.fill(" ".join(text.split()), WIDTH, initial_indent="# ", subsequent_indent="# ")
