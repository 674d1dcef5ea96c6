"""Leading a person from the columns of a source to a mapping, and through the codes that nothing maps yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedstats.cli.node_draft import Draft
from fedstats.cli.running import say
from fedstats.client.agreement_words import values_words
from fedstats.client.printable import printable
from fedstats.core.agreement import ListKind
from fedstats.core.domain import Dates
from fedstats.engines.mapping import ISO_DATE, ColumnMapping, DatasetMapping, Source, SourceKind, labels_of
from fedstats.errors import MappingInvalid, SourceUnreadable, ValueInvalid
from fedstats.node.suggesting import kind_of, suggest_columns, suggest_label

if TYPE_CHECKING:  # for types only
    from fedstats.core.schema import ColumnDefinition
    from fedstats.engines import ColumnReport, Engine, Resources, SourceReport
    from fedstats.node.datasets import Held

CODES_SHOWN_MAX = 5
LOOKS_MAX = 20  # times that the source is read again after answers
UNREADABLE = 10  # one in so many dates that cannot be read is asked about


@dataclass(frozen=True, slots=True)
class Answers:
    """What was typed as options; what is empty is asked for, or guessed where nobody can be asked (`yes`)."""

    source: Path | None
    person: str
    opt_outs: Path | None
    yes: bool
    draft: Draft = field(default_factory=Draft)

    def ask(self, question: str, guess: str) -> str:
        """What the person says, or said in a sitting that was broken off, or the guess."""
        if self.yes:
            return guess
        if question in self.draft.answers:
            said = self.draft.answers[question]
            say(f"{question}: {said} (as before)")
            return said
        said = str(click.prompt(printable(question), default=guess, show_default=bool(guess))).strip()
        self.draft.keep(question, said)
        return said

    def ask_again(self, question: str, problem: str) -> None:
        """Say what is wrong with an answer, and forget it, so that `ask` asks anew."""
        say(problem)
        self.draft.forget(question)

    def one_of(self, question: str, known: Sequence[str], guess: str) -> str:
        """One of these; asked again until it is."""
        asked = f"{question} ({', '.join(known)})"
        while True:
            said = self.ask(asked, guess)
            if said in known or self.yes:
                return said
            self.ask_again(asked, f"{said[:40]!r} is none of them.")

    def go_on(self, folder: Path) -> None:
        """Offer to go on with the answers of a sitting that was broken off in this folder."""
        if self.yes or not self.draft.open(folder):
            return
        say("An earlier sitting was broken off here, and its answers were kept.")
        if not click.confirm("Go on with them?", default=True):
            self.draft.end()


@dataclass(frozen=True, slots=True)
class Mapper:
    """Makes the mapping of one dataset with a person's help."""

    held: Held
    engine: Engine
    resources: Resources
    answers: Answers

    def map(self) -> DatasetMapping:
        """Ask for the source, the columns and the codes.

        Raises
        ------
        SourceUnreadable
            The source cannot be read.
        MappingInvalid
            Nobody can be asked, and a column cannot be guessed.

        """
        dataset = self.held.dataset
        say(f"Where is {dataset.name}? {dataset.description}")
        source = self._source()
        local = self.engine.source_columns(source, self.resources)
        say(f"Its columns: {', '.join(local)}")
        guesses = suggest_columns(dataset, local)
        person = None
        if dataset.unit.column is not None:
            guess = self.answers.person or guesses.get(dataset.unit.column, "")
            person = self._column("Which column identifies people?", guess, local)
        say("Which local column is each shared one? Type =TEXT where all rows have one value.")
        columns = [self._mapped(column, guesses.get(column.name, ""), local) for column in dataset.columns]
        mapping = DatasetMapping(
            dataset.name,
            source,
            person=person,
            columns=tuple(m for m in columns if m != ColumnMapping(m.column)),
            opt_out_list=self._opt_outs(),
            opt_out_kind=self.held.standing.agreement.opt_out.list_kind,
        )
        mapping.check(dataset)
        return self._with_codes(mapping)

    def _source(self) -> Source:
        """The source; a path that is mistyped is asked for again."""
        question = f"The source of {self.held.dataset.name}: a file, or a path with * for several"
        while True:
            path = self.answers.source or Path(self.answers.ask(question, ""))
            if not str(path).strip(".") and self.answers.yes:
                raise MappingInvalid(
                    f"The source of {self.held.dataset.name} is needed.", remedy="Say: --source PATH"
                )
            try:
                return self._source_at(path.expanduser().absolute())
            except (SourceUnreadable, ValueInvalid) as problem:
                if self.answers.yes or self.answers.source is not None:
                    raise
                self.answers.ask_again(question, problem.sentence)

    def _source_at(self, path: Path) -> Source:
        """The source in this place, once its columns could be read; raises SourceUnreadable, ValueInvalid."""
        kind = kind_of(path)
        asked = f"Which table of {path.name}?"
        table = self.answers.ask(asked, "main.data") if kind is SourceKind.DUCKDB else ""
        source = Source(kind, path, table=table)
        try:
            alone = len(self.engine.source_columns(source, self.resources)) == 1
        except SourceUnreadable:
            self.answers.draft.forget(asked)
            raise
        if kind is SourceKind.CSV and alone:
            asked = f"What separates the columns of {path.name}?"
            source = replace(source, delimiter=self.answers.ask(asked, ";"))
        return source

    def _mapped(self, column: ColumnDefinition, guess: str, local: Sequence[str]) -> ColumnMapping:
        said = self._column(f"  {column.name} ({values_words(column.domain)})", guess, (*local, "="))
        if said.startswith("="):
            return ColumnMapping(column.name, constant=said[1:])
        return ColumnMapping(column.name, () if said == column.name else (said,))

    def _column(self, question: str, guess: str, local: Sequence[str]) -> str:
        """A local column; asked again until there is one of this name."""
        while True:
            said = self.answers.ask(question, guess)
            if said in local or ("=" in local and said.startswith("=")):
                return said
            problem = f"{question.strip()}: {said[:60]!r} is none of the source's columns."
            if self.answers.yes:
                raise MappingInvalid(problem, remedy="Write node.toml: fedstats node config --example")
            self.answers.ask_again(question, problem)

    def _opt_outs(self) -> Path | None:
        if not self.held.standing.agreement.opt_out.applies:
            return None
        kind = self.held.standing.agreement.opt_out.list_kind
        who = "who opted out" if kind is ListKind.DENY else "who alone may be counted"
        question = f"The list of people of {self.held.dataset.name} {who}: a file"
        while True:
            said = self.answers.opt_outs or Path(self.answers.ask(question, ""))
            path = said.expanduser().absolute()
            if str(said) == ".":
                return None
            if path.is_file() or self.answers.yes or self.answers.opt_outs is not None:
                return path
            self.answers.ask_again(question, f"There is no file {path}.")

    def _with_codes(self, mapping: DatasetMapping) -> DatasetMapping:
        """Read the source, and ask about codes and dates that nothing maps, until nobody knows more."""
        report = self.engine.diagnose(mapping, self.held.dataset, self.resources)
        for _ in range(LOOKS_MAX):
            better = self._answered(mapping, report)
            if better == mapping:
                break
            mapping = better
            report = self.engine.diagnose(mapping, self.held.dataset, self.resources)
        _say_left(report)
        return mapping

    def _answered(self, mapping: DatasetMapping, report: SourceReport) -> DatasetMapping:
        columns = {column.column: column for column in mapping.columns}
        for found in report.columns:
            definition = self.held.dataset.column(found.column)
            known = mapping.column(found.column)
            if found.unknown_codes:
                known = self._labels(definition, known, found)
            elif isinstance(definition.domain, Dates) and found.invalid * UNREADABLE > report.rows:
                known = self._dates(known, found)
            if known != mapping.column(found.column):
                columns[found.column] = known
        return replace(mapping, columns=tuple(columns.values()))

    def _labels(
        self, definition: ColumnDefinition, known: ColumnMapping, found: ColumnReport
    ) -> ColumnMapping:
        labels = labels_of(definition.domain) or ()
        codes, missing = dict(known.codes), list(known.missing)
        if not self.answers.yes:
            say(f"{definition.name} has codes that nothing maps. Its labels: {', '.join(labels)}")
            say("For each, type a label, - for a missing value, or nothing to leave it unmapped.")
        for code in found.unknown_codes:
            what = repr(code) if code else "an empty cell"
            said = self.answers.ask(f"  {definition.name}: {what} means", suggest_label(code, labels))
            if said == "-":
                missing.append(code)
            elif said in labels:
                codes[code] = said
        return replace(known, codes=codes, missing=tuple(missing))

    def _dates(self, known: ColumnMapping, found: ColumnReport) -> ColumnMapping:
        if known.date_formats:
            return known
        say(f"{found.column}: {found.invalid:,} dates are not written like 2025-09-30.")
        said = self.answers.ask(f"  How are the dates of {found.column} written?", "%d/%m/%Y")
        return replace(known, date_formats=(ISO_DATE, said)) if said else known


def _say_left(report: SourceReport) -> None:
    say(f"{report.rows:,} rows, {report.rows_without_person:,} without a valid person.")
    for column in report.columns:
        facts = {"invalid": column.invalid, "out of bounds": column.out_of_bounds}
        found = ", ".join(f"{count:,} {words}" for words, count in facts.items() if count)
        if found:
            shown = [*map(repr, column.unknown_codes[:CODES_SHOWN_MAX])]
            more = ["..."] if len(column.unknown_codes) > CODES_SHOWN_MAX else []
            codes = f" ({', '.join([*shown, *more])})" if shown else ""
            say(f"  {column.column}: {found}{codes}")
    say("These counts are exact: they are for your department only.")
