"""What the node's doctor says of one dataset: its source, its codes, its opt-out list, its editions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from fedstats.core.checks import Check, examined, ok, problem, warning
from fedstats.engines.mapping import check_local_columns
from fedstats.errors import EditionMissing
from fedstats.identity import computer
from fedstats.node.config import NodeConfig
from fedstats.node.datasets import Held
from fedstats.node.editions import Edition, opt_outs_to_apply
from fedstats.node.service import Node

DAY_S = 86_400
EDITION_DAYS_OLD = 400
UNREADABLE = 10  # one in so many values that cannot be read is worth a word
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class DatasetDoctor:
    """Examines one dataset of a node; without a configuration, its editions only."""

    node: Node
    held: Held
    config: NodeConfig | None
    command: Callable[[str], str]
    tell: Callable[[str], None]

    def examine(self) -> Iterator[Check]:
        """Every check that is possible."""
        if self.config is not None:
            source = tuple(self._look("source", self._source))
            yield from source
            if not any(check.fix for check in source):
                yield from self._look("source-read-only", self._read_only)
                yield from self._look("codes", self._codes)
            yield from self._look("lifetime", self._lifetime)
            yield from self._look("opt-outs", self._opt_outs)
        yield from self._look("edition", self._editions)

    def _look(self, id_: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
        return examined(id_, look, subject=self._name)

    @property
    def _name(self) -> str:
        return self.held.dataset.name

    def _source(self) -> Iterator[Check]:
        node = self.node
        mapping = node.config.mapping(self._name)
        mapping.check(self.held.dataset)
        present = node.bench.engine.source_columns(mapping.source, node.bench.resources)
        check_local_columns(mapping, self.held.dataset, present)
        words = f"{mapping.source.path} can be read, and its columns fit the definition"
        yield ok("source", words, subject=self._name)

    def _read_only(self) -> Iterator[Check]:
        """The node reads; an account that could write could also be made to."""
        path = self.node.config.mapping(self._name).source.path
        user = self.node.home.path.stat().st_uid
        files = sorted(found for found in path.parent.glob(path.name) if found.is_file())
        writable = computer.writable(files, user=user)
        if not writable:
            yield ok("source-read-only", "the node cannot write to its source", subject=self._name)
            return
        fix = f"Let another account own it, and give the node's account reading only: chmod a-w {writable[0]}"
        words = f"The node's account can write to {writable[0]}, which it only needs to read."
        yield warning("source-read-only", words, fix, subject=self._name)

    def _codes(self) -> Iterator[Check]:
        """Values that nothing maps become missing or drop their row, so somebody should know of them."""
        node, mapping = self.node, self.node.config.mapping(self._name)
        self.tell(f"reading all of {mapping.source.path}")
        report = node.bench.engine.diagnose(mapping, self.held.dataset, node.bench.resources)
        fix = "Correct its column in node.toml; examples: " + self.command("fedstats node datasets --count")
        fine = True
        for column in report.columns:
            if column.unknown_codes:
                words = f"{column.column} has codes that nothing maps."
            elif column.invalid * UNREADABLE > report.rows > 0:
                words = f"{column.column} has many values that cannot be read."
            else:
                continue
            fine = False
            yield warning("codes", words, fix, subject=self._name)
        if not report.rows:
            yield warning("codes", "The source has no rows.", "Look at what writes it.", subject=self._name)
        elif fine:
            yield ok("codes", f"{report.rows:,} rows; every code is mapped", subject=self._name)

    def _lifetime(self) -> Iterator[Check]:
        namespace = self.held.dataset.unit.namespace
        if namespace in self.node.config.lifetime:
            yield ok("lifetime", f"there is a lifetime cap for {namespace}", subject=self._name)
            return
        fix = f"Add to node.toml: [lifetime.{namespace}] with epsilon and delta."
        yield problem("lifetime", f"There is no lifetime cap for {namespace}.", fix, subject=self._name)

    def _opt_outs(self) -> Iterator[Check]:
        agreement, mapping = self.held.standing.agreement, self.node.config.mapping(self._name)
        path = opt_outs_to_apply(agreement, mapping, now_s=int(self.node.now()))
        if path is None:
            yield ok("opt-outs", "the agreement applies none", subject=self._name)
            return
        with path.open("rb") as file:
            file.read(1)
        most = agreement.opt_out.list_age_days_max
        age = max(int((self.node.now() - path.stat().st_mtime) // DAY_S), 0)
        words = f"{path} is {age} days old, and may be {most}"
        if age * 5 >= most * 4:
            yield warning("opt-outs", words, "Fetch the present list soon.", subject=self._name)
        else:
            yield ok("opt-outs", words, subject=self._name)

    def _editions(self) -> Iterator[Check]:
        agreement, dataset = self.held.standing.agreement, self.held.dataset
        here = [edition for edition in self.node.editions.all() if edition.is_of(agreement, dataset)]
        for edition in here:
            yield from self._look("edition", partial(self._edition, edition))
        missing = [name for name in dataset.editions if name not in {edition.base for edition in here}]
        due = [name for name in missing if _over(name, computer.at(self.node.now()).date())]
        if not here:
            name = (due or list(dataset.editions) or ["NAME"])[-1]
            yield problem(
                "edition", "none is here, so nothing is answered", self._refresh(name), subject=self._name
            )
        elif due:
            words = f"{', '.join(due)} of the schedule is not here"
            yield warning("edition", words, self._refresh(due[-1]), subject=self._name)

    def _edition(self, edition: Edition) -> Iterator[Check]:
        """One edition: its file, whether it answers under the present terms and opt-out list, its age."""
        name = f"{self._name} {edition.name}"
        again = self._refresh(edition.base, revise=True)
        made = datetime.fromtimestamp(edition.made_s, UTC)
        age = int((self.node.now() - edition.made_s) // DAY_S)
        try:
            self.node.editions.find(self.held.standing.agreement, self.held.dataset, edition.name)
        except EditionMissing as obstacle:
            yield problem("edition", obstacle.sentence, again, subject=name)
            return
        if not edition.path.exists():
            yield problem("edition", f"{edition.path} is missing.", again, subject=name)
        elif age > EDITION_DAYS_OLD:
            yield warning("edition", f"It was made {age} days ago.", again, subject=name)
        else:
            size = f"{edition.path.stat().st_size / 1e6:.1f} MB"
            yield ok("edition", f"made on {made:%Y-%m-%d}, {size}", subject=name)

    def _refresh(self, edition: str, *, revise: bool = False) -> str:
        more = " --revise" if revise else ""
        return self.command(f"fedstats node refresh --dataset {self._name} --edition {edition}{more}")


def _over(edition: str, today: date) -> bool:
    """Whether an edition is named after a month that ended a month ago: its data should be complete."""
    form = _MONTH.fullmatch(edition)
    if form is None:
        return False
    months = int(form[1]) * 12 + int(form[2])
    return today.year * 12 + today.month > months + 1
