"""Locations of files: wrong, not set, or different from the load before."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.fake_redshift import BUCKET

from .conftest import ROOT, Project, RedshiftProject, event, table_at_the_end

EVENTS = "select iteminsession from sparkify_raw.staging_events order by 1"
VARIABLES = ("DBT_EVENTS_LOCATION", "DBT_SONGS_LOCATION")
SELECT_EVENTS = ("--select", "staging_events")


def place(project: Project, folder: str) -> str:
    """The location of a folder of the input."""
    return f"s3://{BUCKET}/{folder}" if project.target != "local" else f"input/{folder}"


def move(project: Project, old: str, new: str) -> None:
    """Renames a folder of the input."""
    shutil.move(project.folder / "input" / old, project.folder / "input" / new)


# --- empty or missing ----------------------------------------------------------


def test_an_empty_location_is_refused(project: Project) -> None:
    tables = ("staging_events", "staging_songs")
    for variable, table, value in zip(VARIABLES, tables, ("", " "), strict=True):
        run = project.load(fails=True, **{variable: value})
        said = f"Error: {variable} is empty: set it to where the files of {table} are, s3://"
        assert said in run.errors


def test_an_empty_location_is_refused_without_python(redshift_project: RedshiftProject) -> None:
    """The tables stay as they are, those as well whose location is said."""
    project = redshift_project
    project.load()
    reload = ("dbt", "run-operation", "load_staging", "--target", "redshift")
    run_empty = project.run(*reload, DBT_SONGS_LOCATION=" ")
    del project.environment["DBT_SONGS_LOCATION"]
    for run in (run_empty, project.run(*reload)):
        assert run.code != 0
        assert "the location of staging_songs is empty: set DBT_SONGS_LOCATION to s3:" in run.text
    assert project.query("select max(load_id) from sparkify_raw.loads") == [(2,)]


def test_redshift_never_loads_the_sample(redshift_project: RedshiftProject) -> None:
    for variable in VARIABLES:
        del redshift_project.environment[variable]
    run = redshift_project.load(fails=True)
    assert "Error: DBT_EVENTS_LOCATION is not set: set it to where the files" in run.errors
    assert "sample" not in run.errors


def test_the_sample_is_loaded_if_no_location_is_set(local_project: Project) -> None:
    project = local_project
    for variable in VARIABLES:
        del project.environment[variable]
    shutil.copytree(ROOT / "sample_data", project.folder / "sample_data")
    run = project.load(DBT_SONGS_LOCATION="input/song_data", fails=True)
    assert "DBT_EVENTS_LOCATION is not set, but DBT_SONGS_LOCATION is: set it to" in run.errors
    assert "or leave staging_events out with --select" in run.errors
    run = project.load(*SELECT_EVENTS, DBT_SONGS_LOCATION="input/song_data", fails=True)
    assert "DBT_EVENTS_LOCATION is not set, but DBT_SONGS_LOCATION is" in run.errors
    assert not project.database.exists()

    run = project.load(*SELECT_EVENTS)
    assert "Loading the sample: sample_data/log_data/." in run.errors
    assert "To load your own files, set DBT_EVENTS_LOCATION." in run.errors
    run = project.load(
        "--select", "staging_songs", DBT_SONGS_LOCATION="input/song_data", DBT_EVENTS_LOCATION="x"
    )
    assert "sample" not in run.errors
    assert table_at_the_end(run.output)["staging_songs"][:2] == ["2", "2"]
    # The sample in the database is not mistaken for files of one's own.
    run = project.load(
        DBT_EVENTS_LOCATION="input/log_data", DBT_SONGS_LOCATION="input/song_data", fails=True
    )
    assert "such as sample_data/log_data/2018/10/2018-10-28-events.json" in run.errors


# What an empty variable means: its default, or an error that says so.
DEFAULTS = (
    "DBT_COPY_IAM_ROLE",
    "DBT_COPY_REGION",
    "DBT_DUCKDB_MEMORY",
    "DBT_DUCKDB_PATH",
    "DBT_RAW_SCHEMA",
    "DBT_READER_ROLE",
    "DBT_REDSHIFT_CLUSTER_ID",
    "DBT_REDSHIFT_QUERY_GROUP",
    "DBT_REDSHIFT_REGION",
    "DBT_REDSHIFT_SCHEMA",
    "DBT_REDSHIFT_WORKGROUP",
    "DBT_TARGET",
)
REQUIRED = {
    "DBT_REDSHIFT_HOST": "Env var required but not provided: 'DBT_REDSHIFT_HOST, which is empty'."
    " Set this variable; docs/redshift.md describes it.",
    "DBT_REDSHIFT_DATABASE": "'DBT_REDSHIFT_DATABASE, which is empty'",
    "DBT_REDSHIFT_USER": "'DBT_REDSHIFT_USER, which is empty'",
    "DBT_STAGE_LOCATION": "DBT_STAGE_LOCATION must be s3://bucket/prefix/",
    "DBT_ENV_SECRET_REDSHIFT_PASSWORD": "DBT_ENV_SECRET_REDSHIFT_PASSWORD sets the password",
}


def test_an_empty_variable_is_its_default(project: Project) -> None:
    project.load(**dict.fromkeys(DEFAULTS, " "))
    assert project.query(EVENTS) == [(1,), (2,), (3,)]
    run = project.run(
        *("dbt", "build", "--select", "stg_songs", "--target", project.target),
        **dict.fromkeys(DEFAULTS, ""),
    )
    assert run.code == 0, run.text
    staging = "sparkify_staging" if project.target != "local" else "main_staging"
    assert project.query(f"select count(*) from {staging}.stg_songs") == [(2,)]


def test_an_empty_variable_without_a_default_is_refused(redshift_project: RedshiftProject) -> None:
    redshift_project.upload()
    for variable, said in REQUIRED.items():
        assert said in redshift_project.load(fails=True, **{variable: ""}).errors


# --- different from before -----------------------------------------------------


def test_another_location_stops_the_load(project: Project) -> None:
    """Unless --full-refresh replaces the old rows or --keep-gone keeps them."""
    project.load()
    there = {"DBT_EVENTS_LOCATION": place(project, "log_data_new/")}
    move(project, "log_data", "log_data_new")
    project.write_events("../log_data_new/new.json", event(9))
    for options in ((), (*SELECT_EVENTS, "--dry-run")):
        run = project.load(*options, fails=True, **there)
        (message,) = [line for line in run.errors.splitlines() if line.startswith("Error: ")]
        old = place(project, "log_data/2018/11/")
        assert f"staging_events holds the rows of 2 files of {old}, such as" in message
        assert f"{old}2018-11-01-events.json, which are not under" in message
        assert f"{place(project, 'log_data_new/')}, set by DBT_EVENTS_LOCATION" in message
        for way_out in ("DBT_DUCKDB_PATH", "--full-refresh", "--keep-gone"):
            assert way_out in message
    assert project.query("select count(*) from sparkify_raw.loads") == [(2,)]
    # The other table is not affected.
    assert "Nothing new." in project.load("--select", "staging_songs", **there).output

    run = project.load("--keep-gone", **there)
    assert table_at_the_end(run.output)["staging_events"][:3] == ["3", "3", "4"]
    assert project.query(EVENTS) == [(1,), (1,), (2,), (2,), (3,), (3,), (9,)]
    assert "Nothing new." in project.load(**there).output
    assert "2 loaded files gone" in project.load("--dry-run", **there).errors
    project.load("--full-refresh", *SELECT_EVENTS, **there)
    assert project.query(EVENTS) == [(1,), (2,), (3,), (9,)]


def test_a_narrower_location_is_another(project: Project) -> None:
    """A wider one is not. Files beside it whose names begin alike are elsewhere."""
    project.write_events("2018/11_old/old.json", event(8))
    project.load()
    narrow = {"DBT_EVENTS_LOCATION": place(project, "log_data/2018/11")}
    run = project.load(fails=True, **narrow)
    assert f"the rows of 1 file of {place(project, 'log_data/2018/11_old/')}, such" in run.errors
    wide = place(project, "").rstrip("/")
    stage = {"DBT_STAGE_LOCATION": f"s3://{BUCKET}/_stage/"}
    run = project.load("--dry-run", *SELECT_EVENTS, DBT_EVENTS_LOCATION=wide, **stage)
    assert "gone" not in run.errors


def test_a_load_goes_on_where_the_newest_files_are(project: Project) -> None:
    """As in a database whose location was changed before --keep-gone existed."""
    project.load()
    for path in sorted(project.events.rglob("*.json")):
        path.unlink()
    new = project.write_events("new.json", event(9))
    project.load("--keep-gone")
    project.execute(
        "update sparkify_raw.loaded_files set file_name = replace(file_name, '/log_data/', '/old/')"
        " where load_id = 1"
    )
    project.write_events("newer.json", event(10))
    project.load()
    new.unlink()
    project.write_events("newest.json", event(11))
    project.load()
    assert project.query(EVENTS) == [(1,), (2,), (3,), (9,), (10,), (11,)]


def test_all_files_are_gone(project: Project) -> None:
    """The location is the same, and all files in it are new."""
    project.load()
    move(project, "log_data/2018", "moved")
    project.write_events("new.json", event(9))
    run = project.load(fails=True)
    assert "staging_events holds the rows of 2 files of" in run.errors
    assert project.query(EVENTS) == [(1,), (2,), (3,)]
    project.load("--keep-gone")
    assert project.query(EVENTS) == [(1,), (2,), (3,), (9,)]


def test_file_names_are_relative_to_the_project(local_project: Project, tmp_path: Path) -> None:
    """The project's folder may lie under the location or be it."""
    project = local_project
    outside = tmp_path / "log_data"
    project.load()
    shutil.copytree(project.events, outside)
    run = project.load(DBT_EVENTS_LOCATION=str(outside), fails=True)
    assert f"which are not under {outside}, set by DBT_EVENTS_LOCATION" in run.errors
    (project.folder / "link").symlink_to(project.events)
    for same in ("./input/../input/log_data/", "link"):
        assert "Nothing new." in project.load(DBT_EVENTS_LOCATION=same).output
    next(project.events.rglob("*-02-events.json")).unlink()
    (project.folder / "link").unlink()
    for wider in (".", str(project.folder.parent)):
        run = project.load(*SELECT_EVENTS, "--dry-run", DBT_EVENTS_LOCATION=wider)
        assert "1 loaded file gone" in run.errors
