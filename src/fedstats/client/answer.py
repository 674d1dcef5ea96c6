"""An answer: the estimate with the question beside it; it prints, exports, and shows itself in notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedstats.client import export, notebook, render
from fedstats.client.picture import figure
from fedstats.client.picture.drawing import Drawing, drawing_of
from fedstats.client.picture.text import text_of
from fedstats.client.question import Question
from fedstats.client.tables import Tables
from fedstats.core.agreement_document import Document
from fedstats.core.estimate import Cost, Estimate, Guarantee, Participant, Table
from fedstats.core.guarantee import Run, report_of
from fedstats.errors import ValueInvalid

if TYPE_CHECKING:  # they come with [analysis], and are imported when somebody asks for them
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure

COLUMNS = 100
"""How wide a picture in characters is where nobody says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question.

    `print(answer)` shows what the command line shows; `answer.table` has typed cells; `to_pandas`, `to_arrow`
    and `to_json` hand it on; `plot` and `draw` show it as a picture. Where a statistic makes several tables,
    `answer.tables["name"]` is one of them, and what holds one table takes its name.
    """

    estimate: Estimate
    question: Question
    run: Run | None = None

    @property
    def tables(self) -> Tables:
        """Every table of the estimate, in order and by name."""
        return Tables(self.estimate.tables)

    @property
    def table(self) -> Table:
        """The only table.

        Raises
        ------
        TableUnclear
            There are several.

        """
        return self.tables.chosen(None)

    @property
    def participants(self) -> tuple[Participant, ...]:
        """Every department that holds the dataset, with its refusal where it did not take part."""
        return self.estimate.participants

    @property
    def cost(self) -> Cost | None:
        """What the question cost."""
        return self.estimate.cost

    @property
    def guarantee(self) -> Guarantee | None:
        """What it promises to whom."""
        return self.estimate.guarantee

    def guarantee_report(self) -> Document:
        """Everything about the promise, as one document: docs/guarantee.md says what each field means.

        Raises
        ------
        ValueInvalid
            The answer was not asked of departments.

        """
        if self.run is None:
            raise ValueInvalid("This answer was made without departments, so nothing is promised of it.")
        return report_of(self.run)

    @property
    def job(self) -> str:
        """The name of the job: `fedstats resume` shows the answer again, free."""
        return self.estimate.job

    def __str__(self) -> str:
        """Show the tables, who answered, the cost and the promise, as plain text."""
        return render.text_of(self.estimate, self.question)

    def _repr_html_(self) -> str:
        """Show itself in a notebook."""
        return notebook.html_of(self.estimate, self.question)

    def to_json(self) -> str:
        """JSON text; its form is described in `client.export`."""
        return export.to_json(self.estimate, self.question)

    def to_csv(self, table: str | None = None) -> str:
        """A table as CSV text: the one of this name, or the only one; raises TableUnclear."""
        return export.to_csv(self.tables.chosen(table))

    def to_arrow(self, table: str | None = None) -> pa.Table:
        """A table for Arrow; raises TableUnclear, or ExtraMissing without `fedstats[analysis]`."""
        return export.to_arrow(self.tables.chosen(table))

    def to_pandas(self, table: str | None = None) -> pd.DataFrame:
        """A table for pandas; raises TableUnclear, or ExtraMissing without `fedstats[analysis]`."""
        return export.to_pandas(self.tables.chosen(table))

    def write_parquet(self, path: str | Path, table: str | None = None) -> None:
        """A table as a Parquet file; raises TableUnclear, or ExtraMissing without `fedstats[analysis]`."""
        export.write_parquet(self.tables.chosen(table), Path(path))

    def plot(self, table: str | None = None, column: str | None = None) -> Figure:
        """A picture as a matplotlib Figure, to show, change or save: of this table, or the first with one.

        `column` is drawn in place of the one that the statistic chose.

        Raises
        ------
        TableUnclear, PictureImpossible
            There is no such table or column, or too much of it to be seen.
        ExtraMissing
            `fedstats[analysis]` is not installed.

        """
        return figure.figure_of(self.drawing(table, column))

    def write_picture(self, path: str | Path, table: str | None = None, column: str | None = None) -> None:
        """Write the picture to a file that ends in .svg, .png or .pdf; raises as `plot`, or FileProblem."""
        figure.write(self.drawing(table, column), Path(path))

    def draw(
        self,
        table: str | None = None,
        column: str | None = None,
        *,
        columns: int = COLUMNS,
        ascii_only: bool = False,
    ) -> str:
        """The picture in characters, so many wide: raises as `plot`, but needs nothing installed."""
        return text_of(self.drawing(table, column), columns=columns, ascii_only=ascii_only)

    def drawing(self, table: str | None = None, column: str | None = None) -> Drawing:
        """What a picture shows, as data; raises TableUnclear and PictureImpossible."""
        return drawing_of(self.tables.drawn(table), self.estimate, self.question, column)
