"""A configuration as the text of node.toml: what `fedstats node init` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields

from fedstats.core.agreement import ListKind
from fedstats.core.agreement_document import decimal_text
from fedstats.engines.mapping import ColumnMapping, DatasetMapping, PersonCheck, Source, SourceKind
from fedstats.node.config import NodeConfig
from fedstats.node.config_example import comment

_HEAD = (
    "The configuration of a fedstats node, written by fedstats node init. Change it at will: the node reads "
    "it when it starts. Every setting there is: fedstats node config --example"
)


def config_text(config: NodeConfig) -> str:
    """Text that `read_config` reads as this configuration; paths must be absolute."""
    about = {setting.name: comment(setting.metadata["about"]) for setting in fields(NodeConfig)}
    parts = [comment(_HEAD), ""]
    for name in ("tasks_max", "threads", "memory_mb", "reply_deadline_s"):
        parts += [about[name], f"{name} = {getattr(config, name)}", ""]
    if reaching := config.coordinator.toml():
        parts += [about["coordinator"], "[coordinator]", *reaching, ""]
    parts += [about["lifetime"]]
    for namespace, terms in config.lifetime.items():
        parts += [
            f"[lifetime.{namespace}]",
            f"epsilon = {_text(decimal_text(terms.epsilon))}",
            f"delta = {_text(decimal_text(terms.delta))}",
            "",
        ]
    parts += [about["datasets"]]
    for mapping in config.datasets:
        parts += [*_dataset(mapping), ""]
    return "\n".join(parts)


def _dataset(mapping: DatasetMapping) -> Iterable[str]:
    yield "[[datasets]]"
    yield f"dataset = {_text(mapping.dataset)}"
    if mapping.person is not None:
        yield f"person = {_text(mapping.person)}"
    if mapping.person_check is not PersonCheck.NONE:
        yield f"person_check = {_text(mapping.person_check.value)}"
    if mapping.person_missing:
        yield f"person_missing = {_texts(mapping.person_missing)}"
    if mapping.opt_out_list is not None:
        yield f"opt_out_list = {_text(str(mapping.opt_out_list))}"
    if mapping.opt_out_kind is not ListKind.DENY:
        yield f"opt_out_kind = {_text(mapping.opt_out_kind.value)}"
    yield from ("", "[datasets.source]", *_source(mapping.source))
    for column in mapping.columns:
        yield from ("", f"[datasets.columns.{column.column}]", *_column(column))


def _source(source: Source) -> Iterable[str]:
    yield f"kind = {_text(source.kind.value)}"
    yield f"path = {_text(str(source.path))}"
    if source.kind is SourceKind.CSV:
        yield f"delimiter = {_text(source.delimiter)}"
        yield f"encoding = {_text(source.encoding)}"
        yield f"decimal = {_text(source.decimal)}"
    if source.table:
        yield f"table = {_text(source.table)}"


def _column(column: ColumnMapping) -> Iterable[str]:
    if len(column.local) == 1:
        yield f"from = {_text(column.local[0])}"
    elif column.local:
        yield f"from_first_of = {_texts(column.local)}"
    if column.constant is not None:
        yield f"constant = {_text(column.constant)}"
    if column.date_formats:
        yield f"date_formats = {_texts(column.date_formats)}"
    if column.missing:
        yield f"missing = {_texts(column.missing)}"
    if column.on_invalid is not None:
        yield f"on_invalid = {_text(column.on_invalid.value)}"
    if column.default is not None:
        yield f"default = {_text(column.default)}"
    if column.codes:
        yield f"[datasets.columns.{column.column}.codes]"
        yield from (f"{_text(local)} = {_text(shared)}" for local, shared in column.codes.items())


def _text(value: str) -> str:
    """A TOML string: JSON's escapes are TOML's, but for DEL, which JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
