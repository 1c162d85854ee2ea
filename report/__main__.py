"""The command: python -m report."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import jinja2

from report.answers import Warehouse, as_text
from report.charts import images
from report.overview import overview

FOLDER = Path(__file__).parent


@click.command()
@click.option("--target", help="The target of profiles.yml, such as redshift.")
@click.option("--profiles-dir", help="The folder of profiles.yml, if not the project's.")
@click.option("--project-dir", type=click.Path(path_type=Path), default=FOLDER.parent)
@click.option("--vars", default="{}", help="Variables for dbt, as YAML.")
@click.option("--output", type=click.Path(path_type=Path), help="Default: target/report.html")
def main(
    target: str | None, profiles_dir: str | None, project_dir: Path, vars: str, output: Path | None
) -> None:
    """Write the answers to all analyses into one HTML page."""
    project_dir = project_dir.resolve()
    warehouse = Warehouse(project_dir, profiles_dir, target, vars)
    loads, sections = warehouse.loads(), warehouse.sections()
    answers = [answer for section in sections for answer in section.answers]
    weeks = next(each.table.records() for each in answers if each.name == "overview_by_week")
    path = output or project_dir / "target" / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    page = render(
        engine="Amazon Redshift" if warehouse.is_redshift else "DuckDB",
        made_at=datetime.now(UTC),
        loads=loads,
        sections=sections,
        overview=overview(weeks),
        first_rows=10,
        max_rows=1000,
        images={each.name: images(each) for each in answers if each.chart and each.table.rows},
    )
    path.write_text(page, encoding="utf-8")
    click.echo(f"{path}: {len(answers)} answers")


def render(**values: Any) -> str:
    """The page, in which all values are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["text"] = as_text
    return environment.get_template("page.html").render(**values)


if __name__ == "__main__":
    main()
