"""What the report shows: the rows of each analysis, and the loads in the ledger."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from click import ClickException

from loader.warehouse import Dbt

HEADER = re.compile(r"-- Question: .*?\n-- (One row per .*?)\n-- Caveats: (.*?)\n\n", re.DOTALL)
LOADS = """
select
    source_table,
    count(*) as load_count,
    sum(file_count) as file_count,
    sum(row_count) as row_count,
    sum(rejected_count) as rejected_count,
    max(load_id) as last_load_id,
    max(loaded_at) as last_loaded_at
from {{ source('ledger', 'loads') }}
group by source_table
order by source_table
"""
# Characters that XML does not allow, so that one of them in a title would break a chart.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Table:
    """The rows of a query, and what its columns mean."""

    columns: dict[str, str]
    rows: list[tuple]

    def records(self) -> list[dict[str, Any]]:
        """The rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def kinds(self) -> dict[str, str]:
        """Whether each column holds numbers, dates or text."""
        cells = {
            name: next((row[number] for row in self.rows if row[number] is not None), "")
            for number, name in enumerate(self.columns)
        }
        kinds = {int: "number", Decimal: "number", date: "date", datetime: "date"}
        return {name: kinds.get(type(cell), "text") for name, cell in cells.items()}


@dataclass
class Answer:
    """An analysis with its rows; `chart` is a Vega-Lite specification."""

    name: str
    question: str
    grain: str
    caveats: str
    chart: dict[str, Any] | None
    table: Table


@dataclass
class Section:
    """An exposure: the answers that it is made of."""

    name: str
    label: str
    description: str
    answers: list[Answer]


class Warehouse(Dbt):
    """The warehouse, as the report sees it."""

    def loads(self) -> Table:
        """What has been loaded, by raw table."""
        (result,) = self._invoke("show", "--inline", LOADS, "--limit", "-1").results
        return as_table(result.agate_table, {})

    def answer(self, name: str) -> Answer:
        """The answer to one analysis."""
        (result,) = self._invoke("show", "--select", name, "--limit", "-1").results
        return as_answer(result)

    def sections(self) -> list[Section]:
        """The answers to all analyses, in the order of the exposures."""
        options = ("show", "--select", "resource_type:analysis", "--limit", "-1")
        answers = {each.node.name: as_answer(each) for each in self._invoke(*options).results}
        return [
            Section(
                exposure.name,
                exposure.label,
                exposure.description.strip(),
                [answers[name] for name in exposure.config.meta["analyses"]],
            )
            for exposure in sorted(
                self.manifest.exposures.values(), key=lambda each: each.config.meta["position"]
            )
        ]


def as_answer(result: Any) -> Answer:
    """The answer in a result of `dbt show`."""
    node = result.node
    header = HEADER.match(node.raw_code)
    if not header:
        raise ClickException(
            f"{node.original_file_path} does not open with its question, grain and caveats."
        )
    grain, caveats = (part.replace("\n-- ", " ") for part in header.groups())
    meanings = {name: column.description for name, column in node.columns.items()}
    table = as_table(result.agate_table, meanings)
    caveats = caveats[0].upper() + caveats[1:]
    return Answer(node.name, node.description, grain, caveats, node.config.meta.get("chart"), table)


def as_table(table: Any, meanings: dict[str, str]) -> Table:
    """The rows of an agate table, without the characters that XML does not allow."""
    return Table(
        {name: meanings.get(name, "") for name in table.column_names},
        [
            tuple(NOT_IN_XML.sub("", cell) if isinstance(cell, str) else cell for cell in row)
            for row in table.rows
        ],
    )


def as_text(value: Any, column: str = "") -> str:
    """A value as the page shows it."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, (str, bool, date)) or column.endswith("_id"):
        return str(value)
    if column.endswith("_share"):
        return f"{value:.1%}"
    # Redshift sums to a numeric without decimals, DuckDB to an integer.
    is_whole = not isinstance(value, float) and Decimal(value).as_tuple().exponent == 0
    return f"{value:,}" if is_whole else f"{value:,.2f}"
