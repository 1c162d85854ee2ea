"""The warehouse, as the loader sees it: through dbt, whose macros hold all SQL."""

import json
import os
import re
from pathlib import Path

import click
from click import ClickException
from dbt.adapters.factory import get_adapter_by_type
from dbt.cli.main import dbtRunner

from loader import Refused
from loader.plan import Source
from loader.rows import Column

QUIETLY = ("--no-write-json", "--log-level", "none", "--log-level-file", "debug")
LOADED_AT = "loaded_at"  # the one column of a raw table that is no key of the JSON
LARGEST_WHOLE = {"integer": 2**31 - 1, "bigint": 2**53 - 1}  # exact in a double precision
REPORT = "load_staging: "  # how the macros mark what they tell
AGAIN = "Nothing of this batch was loaded; run load_staging.py again."


class Conflict(ClickException):
    """Another transaction came in between, or a connection was refused; trying again may help."""


# What messages say that are errors of a kind, and a hint.
HINTS: dict[type[ClickException], dict[str, str]] = {
    Conflict: {
        "^1018": f"(A table that is not in Redshift's snapshot.) {AGAIN}",
        "^1023": f"(Redshift's serializable isolation violation.) {AGAIN}",
        "deadlock detected|conflict with concurrent transaction|another load .*came in": AGAIN,
        "column no_other_load_came_in_between": f"Another load came in between. {AGAIN}",
        'violates unique constraint "pg_': f"(Another load created it just now.) {AGAIN}",
        "already exists": "If no other load created it just now, something else has this name, a"
        " view perhaps: drop or rename it, or set DBT_RAW_SCHEMA to another schema.",
        "loaded_at_if_one_value": "(The rows of one COPY have different values of loaded_at: a"
        f" build could miss some.) {AGAIN} If that does not help, see the default of that column.",
        # Only said while a connection is opened, so nothing was sent.
        r"^\('communication error', (ConnectionRefused|ConnectionReset|Timeout)Error": "",
        "'S': 'FATAL', 'C': '57P03'": "",
    },
    Refused: {
        "row_count_if_all_fill": "(No key of an object is a column.) Nothing was loaded of this"
        " batch.",
        "row_count_if_all_numbers_fit": "(A number is too large, or should be whole.) Nothing was"
        " loaded of this batch.",
        "Load into table '|, in file |Malformed JSON|JSON transform error|maximum_object_size": "",
    },
    ClickException: {
        r"Could not find profile|/\.dbt' does not exist": "Copy profiles.yml.example to"
        " profiles.yml, or see --profiles-dir.",
        "Could not set lock": "Another process has the database open; try again once it ends.",
        "password authentication failed": "DBT_ENV_SECRET_REDSHIFT_PASSWORD sets the password.",
        r"Broken ?[Pp]ipe|Connection reset|^[^:]*timed out$|^\[Errno \d+\] No route": "The"
        " connection to the database was lost; what was under way is undone, unless it had just"
        " ended. Run load_staging.py again, it goes on with what is not loaded.",
        "Out of Memory Error": "DBT_DUCKDB_MEMORY sets what DuckDB may take.",
        "Error NoSuchKey": f"An object is gone since it was listed. {AGAIN}",
        "Error AccessDenied": "An object was deleted since it was listed, or the role of COPY has"
        " no right to s3:GetObject on it, or to kms:Decrypt on its key.",
        "objects were counted|row_count_if_as_counted": "(A file has changed since it was listed,"
        f" or a row was lost.) {AGAIN}",
    },
}


class Dbt:
    """The one seam to dbt: the same project, profile and connection as `dbt build`."""

    def __init__(self, project_dir: Path, profiles_dir: str | None, target: str | None, vars: str):
        if not (project_dir / "dbt_project.yml").exists():
            raise ClickException(f"{project_dir} holds no dbt_project.yml; see --project-dir.")
        if not profiles_dir and (project_dir / "profiles.yml").exists():
            profiles_dir = str(project_dir)
        self.options = ["--project-dir", str(project_dir), "--vars", vars]
        self.options += ["--profiles-dir", profiles_dir] if profiles_dir else []
        self.options += ["--target", target] if target else []
        self.project_dir = project_dir
        self.events: list = []
        self.manifest = None
        self.manifest = self._invoke("parse")
        self.is_redshift = self.manifest.metadata.adapter_type == "redshift"

    def sources(self) -> list[Source]:
        """The source tables that have a location."""
        return [
            Source(
                node.name,
                node.external.location,
                node.config.meta["location_variable"],
                node.config.meta.get("file_names", "*"),
                [
                    Column(
                        name,
                        column.data_type.lower(),
                        any(constraint.type == "not_null" for constraint in column.constraints),
                        LARGEST_WHOLE.get(column.config.meta.get("cast_as")),
                    )
                    for name, column in node.columns.items()
                    if name != LOADED_AT
                ],
            )
            for node in self.manifest.sources.values()
            if node.external
        ]

    def spare_database(self) -> None:
        """Keeps a dry run from creating the DuckDB file, which connecting does."""
        if not Path(get_adapter_by_type("duckdb").config.credentials.path).exists():
            os.environ["DBT_DUCKDB_PATH"] = ":memory:"

    def run_operation(self, macro: str, **arguments) -> list[dict]:
        """Runs a macro; what it reported. Prints the SQL that a dry run reports."""
        self._invoke("run-operation", macro, "--args", json.dumps(arguments))
        messages = [event.info.msg for event in self.events if event.info.name == "JinjaLogDebug"]
        told = [json.loads(m.removeprefix(REPORT)) for m in messages if m.startswith(REPORT)]
        for each in told:
            if "sql" in each:
                click.echo(each["sql"] + ";\n")
        return [each for each in told if "sql" not in each]

    def _invoke(self, *command: str):
        self.events.clear()
        runner = dbtRunner(manifest=self.manifest, callbacks=[self.events.append])
        outcome = runner.invoke([*QUIETLY, *command, *self.options])
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        if not outcome.success:
            errors = [event.info.msg for event in self.events if event.info.level == "error"]
            raise explained(str(outcome.exception or "\n".join(errors)))
        return outcome.result


def explained(message: str) -> ClickException:
    """What went wrong, as one paragraph: dbt's and DuckDB's decoration left out."""
    message = re.sub(r"\n\nLINE \d+:.*", "", message, flags=re.DOTALL)
    message = re.sub(r"\n?Try (setting|auto-detecting|increasing) .*", "", message)
    message = re.sub(r"Encountered an error while running operation:|\w+ Error\n", "", message)
    message = " ".join(message.split())
    found = [
        (kind, hint)
        for kind, hints in HINTS.items()
        for said, hint in hints.items()
        if re.search(said, message)
    ]
    kind = found[0][0] if found else ClickException
    return kind(" ".join([message, *dict.fromkeys(hint for _, hint in found if hint)]))
