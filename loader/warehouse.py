"""The warehouse, reached through dbt alone: its macros hold all SQL."""

import json
import os
import re
from pathlib import Path
from typing import Any

import click
from click import ClickException
from dbt.adapters.factory import get_adapter_by_type
from dbt.cli.main import dbtRunner

from loader import RUN_AGAIN, BadRows
from loader.plan import Source
from loader.rows import Column

LOG_OPTIONS = ("--no-write-json", "--log-level", "none", "--log-level-file", "debug")
LOADED_AT = "loaded_at"  # the one column of a raw table that is not a key of the JSON
MAX_INTEGER = {"integer": 2**31 - 1, "bigint": 2**53 - 1}  # exact in a double precision
REPORT_PREFIX = "load_staging: "  # of the log lines that macros report results in
UNREACHABLE = "Check that {server}, set by DBT_REDSHIFT_HOST and DBT_REDSHIFT_PORT, can be reached."


class Conflict(ClickException):
    """Another transaction came in between, or a connection was refused; a retry may help."""


# Patterns of dbt's and the engines' messages: the error that each stands for, and a hint.
HINTS: dict[type[ClickException], dict[str, str]] = {
    Conflict: {
        "^1018": f"(A table is not in Redshift's snapshot.) {RUN_AGAIN}",
        "^1023": f"(Redshift's serializable isolation violation.) {RUN_AGAIN}",
        "deadlock detected|conflict with concurrent transaction|another load .*came in": RUN_AGAIN,
        "column no_other_load_came_in_between": f"Another load came in between. {RUN_AGAIN}",
        'violates unique constraint "pg_': f"(Another load has just created it.) {RUN_AGAIN}",
        "already exists": "Unless another load has just created it, something else has this name,"
        " perhaps a view: drop or rename it, or set DBT_RAW_SCHEMA to another schema.",
        "loaded_at_if_one_value": "(The rows of one COPY have different values of loaded_at: a"
        f" build could miss some.) {RUN_AGAIN} If that fails, check the default of that column.",
        # These only occur when a connection is opened, so nothing was sent.
        r"^\('communication error', (ConnectionRefused|ConnectionReset|Timeout)Error": UNREACHABLE,
        "'S': 'FATAL', 'C': '57P03'": UNREACHABLE,
    },
    BadRows: {
        "row_count_if_all_fill": "(No key of an object is a column.)",
        "row_count_if_all_numbers_fit": "(A number is too large or not whole.)",
        "Load into table '|, in file |Malformed JSON|JSON transform error|maximum_object_size": "",
    },
    ClickException: {
        r"Could not find profile|/\.dbt' does not exist": "Copy profiles.yml.example to"
        " profiles.yml, or use --profiles-dir.",
        "Env var required but not provided": "Set this variable; docs/redshift.md describes it.",
        "Cannot open (file|database)|not a valid DuckDB database": "DBT_DUCKDB_PATH sets the file.",
        "Could not set lock": "Another process has the database open; try again once it ends.",
        r"^\('communication error', (gaierror|OSError)|'connection time out'": UNREACHABLE,
        "password authentication failed": "This was the login to {server}: DBT_REDSHIFT_USER sets"
        " the user, DBT_ENV_SECRET_REDSHIFT_PASSWORD sets the password.",
        "'C': '3D000'": "This was the login to {server}: DBT_REDSHIFT_DATABASE sets the database.",
        r"Broken ?[Pp]ipe|Connection reset|^[^:]*timed out$|^\[Errno \d+\] No route": "The"
        " connection to the database was lost; what was under way is undone, unless it had just"
        " ended. Run load_staging.py again to load the rest.",
        "Out of Memory Error": "DBT_DUCKDB_MEMORY sets how much memory DuckDB may use.",
        "Error NoSuchKey": f"An object was deleted after it was listed. {RUN_AGAIN}",
        "Error AccessDenied": "An object was deleted after it was listed, or the role of COPY does"
        " not allow s3:GetObject on it, or kms:Decrypt on its key.",
        "objects were counted|row_count_if_as_counted": "(A file has changed since it was listed,"
        f" or a row was lost.) {RUN_AGAIN}",
    },
}


class Dbt:
    """The only module that runs dbt, with the project, profile and connection of `dbt build`."""

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
        self.server = ""
        self.manifest: Any = None
        self.manifest = self._invoke("parse")
        self.is_redshift = self.manifest.metadata.adapter_type == "redshift"
        if self.is_redshift:
            credentials = get_adapter_by_type("redshift").config.credentials
            self.server = f"{credentials.host}:{credentials.port}"

    def sources(self) -> list[Source]:
        """The source tables that have a location."""
        return [
            Source(
                node.name,
                node.external.location,
                node.config.meta["location_variable"],
                node.config.meta.get("file_names", "*"),
                [as_column(each) for name, each in node.columns.items() if name != LOADED_AT],
            )
            for node in self.manifest.sources.values()
            if node.external
        ]

    def use_scratch_database(self) -> None:
        """Makes a dry run use memory if there is no DuckDB file, which connecting would create."""
        if not Path(get_adapter_by_type("duckdb").config.credentials.path).exists():
            os.environ["DBT_DUCKDB_PATH"] = ":memory:"

    def run_operation(self, macro: str, **arguments) -> list[dict]:
        """Runs a macro and returns what it reports, but prints the SQL of a dry run. As `dbt
        run-operation` returns no values, the macro `report` logs them as JSON."""
        self._invoke("run-operation", macro, "--args", json.dumps(arguments))
        reports = []
        for event in self.events:
            if event.info.name == "JinjaLogDebug" and event.info.msg.startswith(REPORT_PREFIX):
                report = json.loads(event.info.msg.removeprefix(REPORT_PREFIX))
                if "sql" in report:
                    click.echo(report["sql"] + ";\n")
                else:
                    reports.append(report)
        return reports

    def _invoke(self, *command: str):
        self.events.clear()
        runner = dbtRunner(manifest=self.manifest, callbacks=[self.events.append])
        outcome = runner.invoke([*LOG_OPTIONS, *command, *self.options])
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        if not outcome.success:
            errors = [event.info.msg for event in self.events if event.info.level == "error"]
            raise error_with_hints(str(outcome.exception or "\n".join(errors)), self.server)
        return outcome.result


def as_column(column: Any) -> Column:
    """A column of the sources' YAML."""
    is_required = any(constraint.type == "not_null" for constraint in column.constraints)
    max_integer = MAX_INTEGER.get(column.config.meta.get("cast_as"))
    return Column(column.name, column.data_type.lower(), is_required, max_integer)


def error_with_hints(message: str, server: str) -> ClickException:
    """An error of dbt or the engine as one paragraph, without decoration and with hints."""
    message = re.sub(r"\n\nLINE \d+:.*", "", message, flags=re.DOTALL)
    message = re.sub(r"\n?Try (set|auto|incr).*|Encountered an error .*?:", "", message)
    message = re.sub(r"\w+ Error( in macro .*)?\n|\n +> (in|called by) macro .*", "", message)
    message = " ".join(message.split())
    found = [
        (kind, hint.format(server=server))
        for kind, hints in HINTS.items()
        for pattern, hint in hints.items()
        if re.search(pattern, message)
    ]
    kind = found[0][0] if found else ClickException
    hints = dict.fromkeys(hint for _, hint in found if hint)
    return kind(" ".join([f"{message.rstrip('.')}.", *hints]) if hints else message)
