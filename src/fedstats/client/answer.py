"""An answer: the estimate with the question beside it; it prints, exports, and shows itself in notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedstats.client import export, notebook, render
from fedstats.client.question import Question
from fedstats.core.agreement_document import Document
from fedstats.core.estimate import Cost, Estimate, Guarantee, Participant, Table
from fedstats.core.guarantee import Run, report_of
from fedstats.errors import ValueInvalid

if TYPE_CHECKING:  # they come with [analysis], and are imported when somebody asks for them
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question.

    `print(answer)` shows what the command line shows; `answer.table` has typed cells; `to_pandas`, `to_arrow`
    and `to_json` hand it on.
    """

    estimate: Estimate
    question: Question
    run: Run | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the estimate."""
        return self.estimate.tables

    @property
    def table(self) -> Table:
        """The only table.

        Raises
        ------
        ValueInvalid
            There are several.

        """
        if len(self.tables) != 1:
            raise ValueInvalid(
                "This answer has several tables, and this form holds one.", remedy="Use JSON for all of them."
            )
        return self.tables[0]

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

    def to_csv(self) -> str:
        """The table as CSV text; raises ValueInvalid where there are several."""
        return export.to_csv(self.table)

    def to_arrow(self) -> pa.Table:
        """The table for Arrow; raises ExtraMissing without `fedstats[analysis]`."""
        return export.to_arrow(self.table)

    def to_pandas(self) -> pd.DataFrame:
        """The table for pandas; raises ExtraMissing without `fedstats[analysis]`."""
        return export.to_pandas(self.table)

    def write_parquet(self, path: str | Path) -> None:
        """The table as a Parquet file; raises ExtraMissing without `fedstats[analysis]`."""
        export.write_parquet(self.table, Path(path))
