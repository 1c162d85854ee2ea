"""The warehouse, as the loader sees it: through dbt, whose macros hold all SQL."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

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
NO_PROFILE = "Copy profiles.yml.example to profiles.yml, or see --profiles-dir."
LOST = (
    "The connection to the database was lost; what was under way is undone, unless it had just"
    " ended. Run load_staging.py again, it goes on with what is not loaded."
)
AGAIN = "Nothing of this batch was loaded; run load_staging.py again."
CONFLICT = re.compile(
    "^10(18|23)|deadlock detected|conflict with concurrent transaction|already exists"
    '|violates unique constraint "pg_|[Aa]nother load .*came in between|loaded_at_if_one_value'
    # Only said while a connection is opened, so nothing was sent.
    r"|^\('communication error', (ConnectionRefused|ConnectionReset|Timeout)Error"
    "|'S': 'FATAL', 'C': '57P03'"
)
HINTS = {
    "Could not find profile": NO_PROFILE,
    r"/\.dbt' does not exist": NO_PROFILE,
    "Could not set lock on file": "Another process has the database open; try again once it ends.",
    "password authentication failed": "DBT_ENV_SECRET_REDSHIFT_PASSWORD sets the password.",
    r"Broken ?[Pp]ipe|Connection reset|^[^:]*timed out$|^\[Errno \d+\] No route": LOST,
    "^1018$": f"(A table that is not in Redshift's snapshot.) {AGAIN}",
    "^1023$": f"(Redshift's serializable isolation violation.) {AGAIN}",
    "deadlock detected|conflict with concurrent transaction|another load": AGAIN,
    'violates unique constraint "pg_': f"(Another load created it just now.) {AGAIN}",
    "already exists": "If no other load created it just now, something else has this name, a view"
    " perhaps: drop or rename it, or set DBT_RAW_SCHEMA to another schema.",
    "Out of Memory Error": "DBT_DUCKDB_MEMORY sets what DuckDB may take.",
    "Error NoSuchKey": f"An object is gone since it was listed. {AGAIN}",
    "Error AccessDenied": "An object was deleted since it was listed, or the role of COPY has no"
    " right to s3:GetObject on it, or to kms:Decrypt on its key.",
    "column no_other_load_came_in_between": f"Another load came in between. {AGAIN}",
    "loaded_at_if_one_value": "(The rows of one COPY have different values of loaded_at, of which a"
    f" build could miss some.) {AGAIN} If that does not help, see the default of that column.",
    "row_count_if_all_fill": "(No key of an object is a column.) Nothing of this batch was loaded.",
    "row_count_if_all_numbers_fit": "(A number is too large, or should be whole.) Nothing of this"
    " batch was loaded.",
    "row_count_if_as_counted": f"(COPY loaded another number of rows than were counted.) {AGAIN}",
    "objects were counted": f"(A file has changed since it was listed, or a row was lost.) {AGAIN}",
}
REFUSED = re.compile(
    "Load into table '|, in file |NULL value into column row_count_if_all"
    "|Malformed JSON|JSON transform error|maximum_object_size"
)


class Conflict(ClickException):
    """Another transaction came in between, or a connection was refused; trying again may help."""


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
        self.engine: str = self.manifest.metadata.adapter_type

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

    def spare_database(self, folder: Path) -> None:
        """Keeps a dry run from creating the DuckDB file, which connecting does."""
        path = Path(get_adapter_by_type("duckdb").config.credentials.path)
        if not path.exists():
            os.environ["DBT_DUCKDB_PATH"] = str(folder / path.name)

    def run_operation(self, macro: str, **arguments) -> list[dict]:
        """Runs a macro; what it reported."""
        self._invoke("run-operation", macro, "--args", json.dumps(arguments))
        messages = [event.info.msg for event in self.events if event.info.name == "JinjaLogDebug"]
        return [json.loads(m.removeprefix(REPORT)) for m in messages if m.startswith(REPORT)]

    def _invoke(self, *command: str):
        self.events.clear()
        runner = dbtRunner(manifest=self.manifest, callbacks=[self.events.append])
        outcome = runner.invoke([*QUIETLY, *command, *self.options])
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        if not outcome.success:
            errors = [event.info.msg for event in self.events if event.info.level == "error"]
            message = explain(str(outcome.exception or "\n".join(errors)))
            kinds = ((CONFLICT, Conflict), (REFUSED, Refused))
            raise next((kind for said, kind in kinds if said.search(message)), ClickException)(
                message
            )
        return outcome.result


def as_column(declared) -> Column:
    """A column of the sources' YAML."""
    return Column(
        declared.name,
        declared.data_type.lower(),
        any(constraint.type == "not_null" for constraint in declared.constraints),
        LARGEST_WHOLE.get(declared.config.meta.get("cast_as")),
    )


def explain(message: str) -> str:
    """What went wrong, as one paragraph: dbt's and DuckDB's decoration left out."""
    message = re.sub(r"\n\nLINE \d+:.*", "", message, flags=re.DOTALL)
    message = re.sub(r"\n?Try (setting|auto-detecting|increasing) .*", "", message)
    message = re.sub(r"Encountered an error while running operation:|\w+ Error\n", "", message)
    message = " ".join(message.split())
    return " ".join([message, *{hint for said, hint in HINTS.items() if re.search(said, message)}])
