"""Which files are loaded, in which tasks and batches: loader/plan.py alone."""

from __future__ import annotations

import pytest
from click import ClickException

from loader.files import File
from loader.plan import Options, Source, Task, batches, plan_tasks, split_off_small

GIB = 1024**3


def file(name: str, size: int = 100) -> File:
    """A file in S3, or a local one if its name begins with a slash."""
    path = name if name.startswith("/") else f"s3://bucket/{name}"
    return File(path, size, "fingerprint", path)


def options(**changes) -> Options:
    """The options of a command line with some that differ from the defaults."""
    defaults = {"full_refresh": False, "reload": False, "max_errors": 0, "dry_run": False}
    return Options(**{**defaults, "join_from": 1_000, "keep_gone": False, **changes})


def planned(
    files: list[File], engine: str = "duckdb", join_from: int = 1_000
) -> list[tuple[list[File], bool]]:
    """The batches of these files, and whether they are joined."""
    return list(batches(*split_off_small(files, join_from), engine == "redshift"))


def sizes(made: list[tuple[list[File], bool]]) -> list[int]:
    """The number of files in each batch."""
    return [len(files) for files, _ in made]


# --- batches -------------------------------------------------------------------


@pytest.mark.parametrize(("engine", "limit"), [("duckdb", 5_000), ("redshift", 100_000)])
def test_a_batch_has_a_limited_number_of_files(engine: str, limit: int) -> None:
    files = [file(f"{number}.json") for number in range(2 * limit + 1)]
    made = planned(files, engine, join_from=0)
    assert sizes(made) == [limit, limit, 1]
    assert [each for batch, _ in made for each in batch] == files


def test_a_batch_has_a_limited_number_of_bytes() -> None:
    """At most 4 GiB, but a larger file is a batch of its own."""
    two, one, five = (file(f"{size}.json", size * GIB) for size in (2, 1, 5))
    byte = file("byte.json", 1)
    made = planned([five, two, one, one, byte, two, five, one])
    assert [files for files, _ in made] == [
        [five],
        [two, one, one],
        [byte, two],
        [five],
        [one],
    ]


def test_no_files_make_no_batch() -> None:
    assert planned([]) == []
    assert planned([], "redshift", join_from=1) == []


def test_redshift_copies_each_compression_separately() -> None:
    """As detected in the content, not by the name."""
    plain, zipped = file("a.json.gz", 10**6), file("b", 10**6)._replace(compression="gzip")
    assert planned([plain, zipped, plain], "redshift") == [
        ([plain, plain], False),
        ([zipped], False),
    ]
    assert planned([plain, zipped, plain]) == [([plain, zipped, plain], False)]


# --- joining -------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["duckdb", "redshift"])
def test_small_objects_are_joined_if_they_are_many(engine: str) -> None:
    files = [file(f"{number}.json") for number in range(3)]
    for join_from, is_joined in ((1, True), (3, True), (4, False), (0, False)):
        made = planned(files, engine, join_from=join_from)
        assert sizes(made) == [3]
        assert made[0][1] == is_joined, join_from


def test_objects_of_up_to_64_kb_are_small() -> None:
    small, large = file("small.json", 64 * 1024), file("large.json", 64 * 1024 + 1)
    assert planned([large, small, large], join_from=1) == [
        ([large, large], False),
        ([small], True),
    ]
    # The large one does not make them two.
    assert planned([large, small], join_from=2) == [([large, small], False)]


@pytest.mark.parametrize("engine", ["duckdb", "redshift"])
def test_compressed_and_other_objects_are_joined_together(engine: str) -> None:
    files = [file("a.json"), file("b.json.gz")._replace(compression="gzip")]
    assert planned(files, engine, join_from=2) == [(files, True)]


def test_local_files_are_not_joined() -> None:
    local, remote = file("/log_data/a.json"), file("b.json")
    assert planned([local, remote], join_from=1) == [
        ([local], False),
        ([remote], True),
    ]
    assert planned([local, remote], join_from=2) == [([local, remote], False)]


def test_a_joined_batch_may_have_more_files_than_duckdb_reads_at_once() -> None:
    files = [file(f"{number}.json") for number in range(5_001)]
    assert sizes(planned(files)) == [5_001]


# --- tasks ---------------------------------------------------------------------


def source() -> Source:
    """A source table with ten files."""
    files = [file(f"{number}.json") for number in range(10)]
    return Source("staging_events", "s3://bucket/", "DBT_EVENTS_LOCATION", "*", ["ts"], files)


def range_of(state: str, first: int | None, last: int | None, load_id: int = 0) -> dict:
    """A range of files, as plan_load reports it."""
    is_gone = first is None or last is None
    return {
        "state": state,
        "load_id": load_id,
        "first": first,
        "last": last,
        "file_count": 1 if is_gone else last - first + 1,
        "file_name": f"{state}.json",
        "last_file_name": f"{state}.json",
    }


def comparison(*ranges: dict, **changes) -> dict:
    """What plan_load reports for a source table."""
    defaults = {"has_new_types": False, "is_whole_prefix": False, "last_load": {"load_id": 9}}
    return defaults | {"ranges": list(ranges)} | changes


def tasks(compared: dict, **changes) -> list[Task]:
    """The tasks of the source table, with some options that differ from the defaults."""
    return plan_tasks(source(), compared, options(**changes))


def names(task: Task) -> list[str]:
    """The names of a task's files, without bucket and suffix."""
    return [each.file_name.removeprefix("s3://bucket/")[:-5] for each in task.files]


def test_new_files_are_loaded_in_the_order_of_the_listing() -> None:
    (task,) = tasks(comparison(range_of("new", 7, 9), range_of("new", 0, 0)))
    assert names(task) == ["0", "7", "8", "9"]
    assert (task.replaces, task.has_new_types) == (None, False)


def test_full_refresh_replaces_all() -> None:
    compared = comparison(
        range_of("changed", 1, 1, load_id=4), is_whole_prefix=True, has_new_types=True
    )
    (task,) = tasks(compared, full_refresh=True)
    assert len(task.files) == 10
    assert (task.replaces, task.has_new_types) == ("all", True)


def test_a_table_loaded_by_prefix_needs_a_full_refresh() -> None:
    with pytest.raises(ClickException, match="with --full-refresh"):
        tasks(comparison(range_of("new", 0, 9), is_whole_prefix=True))


def test_changed_files_wait_for_reload(capsys: pytest.CaptureFixture) -> None:
    ranges = [
        range_of("changed", 1, 2, load_id=4),
        range_of("changed", 5, 5, load_id=4),
        range_of("new", 9, 9),
    ]
    (task,) = tasks(comparison(*ranges))
    assert names(task) == ["9"]
    assert "3 files changed since the load, such as changed.json" in capsys.readouterr().err


def test_reload_replaces_the_loads_of_changed_files(capsys: pytest.CaptureFixture) -> None:
    """Each with all files that were loaded with it, the oldest first; what is new comes last."""
    ranges = [
        range_of("new", 0, 0),
        range_of("changed", 4, 4, load_id=8),
        range_of("loaded", 5, 6, load_id=8),
        range_of("loaded", 1, 1, load_id=3),
        range_of("changed", 2, 2, load_id=3),
    ]
    first, second, new = tasks(comparison(*ranges), reload=True)
    assert (names(first), first.replaces) == (["1", "2"], 3)
    assert (names(second), second.replaces) == (["4", "5", "6"], 8)
    assert (names(new), new.replaces) == (["0"], None)
    assert "reloading 2 changed files and those loaded with them, 5 in all" in (
        capsys.readouterr().err
    )


def test_a_gone_file_stops_only_the_reload_of_its_own_load() -> None:
    changed, gone = range_of("changed", 2, 2, load_id=3), range_of("gone", None, None, load_id=3)
    with pytest.raises(ClickException, match=r"gone\.json was loaded with it and is gone"):
        tasks(comparison(changed, gone), reload=True)
    assert len(tasks(comparison(changed, gone | {"load_id": 4}), reload=True)) == 2


def test_a_location_must_cover_the_newest_load() -> None:
    """Or at least some loaded file, unless --keep-gone says that they are gone on purpose."""
    left, gone = range_of("loaded", 1, 1), range_of("gone", None, None, load_id=9)
    elsewhere = range_of("elsewhere", None, None, load_id=9)
    earlier = range_of("elsewhere", None, None, load_id=8)
    for ranges, is_refused in (
        ((), False),
        ((left, gone), False),
        ((left, earlier), False),
        ((gone,), True),
        ((left, elsewhere), True),
        ((earlier, range_of("changed", 1, 1)), False),
        ((earlier, range_of("new", 1, 1)), True),
    ):
        if is_refused:
            with pytest.raises(ClickException, match="not under s3://bucket/"):
                tasks(comparison(*ranges))
        else:
            tasks(comparison(*ranges))
        tasks(comparison(*ranges), keep_gone=True)


def test_a_dry_run_reports_what_is_gone(capsys: pytest.CaptureFixture) -> None:
    gone = comparison(range_of("gone", None, None, load_id=3), range_of("loaded", 1, 1))
    tasks(gone)
    assert capsys.readouterr().err == ""
    tasks(gone, dry_run=True)
    assert "1 loaded file gone, such as gone.json" in capsys.readouterr().err
