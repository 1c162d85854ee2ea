"""Files that changed after they were loaded, and files that are gone."""

from __future__ import annotations

from .conftest import NO_UNIT_TESTS, Project, event, song

EVENTS = "select iteminsession, level from sparkify_raw.staging_events order by 1, 2"
LEDGER = "select load_id, file_count, row_count from sparkify_raw.loads order by load_id"


def test_a_changed_file_is_reported_and_left_alone(project: Project) -> None:
    project.write_events("a.json", event(8))
    project.load()
    project.write_events("a.json", event(8, level="paid"), event(9))
    run = project.load()
    assert "staging_events: 1 file changed" in run.errors
    assert "a.json" in run.errors
    assert "--reload" in run.errors
    assert "Nothing new." in run.output
    assert project.query(EVENTS) == [(1, "free"), (2, "free"), (3, "free"), (8, "free")]


def test_reload_loads_the_new_version(project: Project) -> None:
    project.load()
    project.write_events("a.json", event(8), event(9))
    project.write_events("b.json", event(10))
    project.load()
    project.dbt("run")
    project.write_events("a.json", event(8, level="paid"))
    project.write_events("c.json", event(11))
    run = project.load("--reload")
    assert "reloading 1 changed file and those loaded with them, 2 in all" in run.errors
    assert "dbt build --full-refresh" in run.output
    assert project.query(EVENTS) == [
        (1, "free"),
        (2, "free"),
        (3, "free"),
        (8, "paid"),
        (10, "free"),
        (11, "free"),
    ]
    # The load that it replaces is gone; the others are unchanged.
    assert project.query(LEDGER) == [(1, 2, 3), (2, 2, 2), (4, 2, 2), (5, 1, 1)]
    assert project.query("select count(*) from sparkify_raw.loaded_files") == [(7,)]
    project.dbt("build", "--full-refresh", *NO_UNIT_TESTS)
    assert project.query("select count(*) from fct_songplays") == [(6,)]
    again = project.load("--reload")
    assert "Nothing new." in again.output
    assert "changed" not in again.errors


def test_a_dry_run_of_a_reload_changes_nothing(local_project: Project) -> None:
    local_project.load()
    local_project.write_events("2018/11/2018-11-02-events.json", event(3, level="paid"))
    before = local_project.database.read_bytes()
    run = local_project.load("--reload", "--dry-run")
    assert "where source_table = 'staging_events' and load_id = 1" in run.output
    assert local_project.database.read_bytes() == before


def test_a_file_that_cannot_be_reloaded_without_another(project: Project) -> None:
    """Rows do not have their file: those of a file that is gone would be lost."""
    project.load()
    project.write_events("2018/11/2018-11-02-events.json", event(3, level="paid"))
    gone = project.events / "2018/11/2018-11-01-events.json"
    content = gone.read_bytes()
    gone.unlink()
    run = project.load("--reload", fails=True)
    assert "2018-11-02-events.json cannot be reloaded" in run.errors
    assert "2018-11-01-events.json was loaded with it and is gone" in run.errors
    assert len(project.query(EVENTS)) == 3
    if project.target != "local":  # put back, it is the same object
        gone.write_bytes(content)
        project.load("--reload")
        assert project.query(EVENTS) == [(1, "free"), (2, "free"), (3, "paid")]
    else:
        project.load("--full-refresh")
        assert project.query(EVENTS) == [(3, "paid")]


def test_files_that_are_gone_are_reported_by_a_dry_run(project: Project) -> None:
    project.load()
    (project.events / "2018/11/2018-11-01-events.json").unlink()
    project.write_songs("new.json", song(3))
    run = project.load("--dry-run")
    assert "staging_events: 1 loaded file gone, such as" in run.errors
    assert "2018-11-01-events.json" in run.errors
    assert "gone" not in project.load().errors
    assert len(project.query(EVENTS)) == 3


def test_a_file_that_only_moved_in_the_listing_is_the_same(project: Project) -> None:
    """Files are identified by name, not by their place in the listing."""
    project.load()
    project.write_events("0.json", event(9))
    run = project.load("--reload")
    assert "changed" not in run.errors
    assert len(project.query(EVENTS)) == 4
