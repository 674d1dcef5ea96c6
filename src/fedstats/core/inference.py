"""Which values an expression can have: interval arithmetic and type rules over the declared domains.

Bounds follow from the definition alone, so a question needs no clamp, and nothing here sees data. The rules
of each operation are in `inference_numbers`, `inference_dates` and `inference_conditions`.
"""

from __future__ import annotations

from collections.abc import Callable

from fedstats.core import inference_conditions as conditions
from fedstats.core import inference_dates as dates
from fedstats.core import inference_numbers as numbers
from fedstats.core.domain import Categories, Dates, Domain, Every, Texts, Truth
from fedstats.core.expression import CategoryLiteral, Column, DateLiteral, Expression, NumberLiteral, Op
from fedstats.core.inference_conditions import is_literal
from fedstats.core.inference_numbers import aligned_step, band_labels, quotient_step
from fedstats.core.schema import Dataset
from fedstats.errors import ExpressionInvalid

__all__ = ["aligned_step", "band_labels", "condition_of", "domain_of", "is_literal", "quotient_step"]


def domain_of(expression: Expression, dataset: Dataset) -> Domain:
    """The domain of `expression` over the rows of `dataset`.

    Raises
    ------
    ExpressionInvalid
        Types do not fit, a division may divide by zero, or a literal is not declared.
    NameUnknown
        A column does not exist.
    TooLarge
        Values would not fit 62 bits.

    """
    if isinstance(expression, Column):
        return dataset.column(expression.name).domain
    if isinstance(expression, NumberLiteral):
        return numbers.literal_domain(expression)
    if isinstance(expression, CategoryLiteral):
        return Categories((expression.label,))
    if isinstance(expression, DateLiteral):
        return Dates(expression.days, expression.days)
    domains = [domain_of(arg, dataset) for arg in expression.args]
    if any(isinstance(domain, Texts) for domain in domains):
        raise ExpressionInvalid(
            f"{', '.join(_free_text(expression.args, dataset))} is free text, which can only be a key as it "
            "stands: GROUP BY it."
        )
    return _RULES[expression.op](expression.args, domains)


def _free_text(args: numbers.Args, dataset: Dataset) -> list[str]:
    return sorted(
        arg.name
        for arg in args
        if isinstance(arg, Column) and isinstance(dataset.column(arg.name).domain, Texts)
    )


def condition_of(expression: Expression, dataset: Dataset) -> Truth:
    """The domain of a condition (WHERE, SHARE).

    Raises
    ------
    ExpressionInvalid
        It is not true or false.

    """
    domain = domain_of(expression, dataset)
    if not isinstance(domain, Truth):
        raise ExpressionInvalid("A condition is needed here, such as age >= 65.")
    return domain


_RULES: dict[Op, Callable[[numbers.Args, numbers.Domains], Domain]] = {
    Op.ADD: numbers.add,
    Op.SUBTRACT: numbers.subtract,
    Op.MULTIPLY: numbers.multiply,
    Op.DIVIDE: numbers.divide,
    Op.NEGATE: numbers.negate,
    Op.ABS: numbers.absolute,
    Op.FLOOR: numbers.floor,
    Op.LEAST: numbers.least,
    Op.GREATEST: numbers.greatest,
    Op.CLAMP: numbers.clamp,
    Op.BAND: numbers.band,
    Op.EQUAL: conditions.equal,
    Op.LESS: conditions.less,
    Op.LESS_EQUAL: conditions.less,
    Op.AND: conditions.logic,
    Op.OR: conditions.logic,
    Op.NOT: conditions.negation,
    Op.IN: conditions.one_of,
    Op.IS_NULL: conditions.is_missing,
    Op.COALESCE: conditions.coalesce,
    Op.CASE: conditions.case,
    Op.TRUNCATE_WEEK: dates.truncation(Every.WEEK),
    Op.TRUNCATE_MONTH: dates.truncation(Every.MONTH),
    Op.TRUNCATE_YEAR: dates.truncation(Every.YEAR),
    Op.TRUNCATE_QUARTER: dates.truncation(Every.QUARTER),
    Op.YEAR_OF: dates.year,
    Op.MONTH_OF: dates.month,
    Op.WEEKDAY_OF: dates.weekday,
}
