"""Which files are loaded, in which steps and batches: loader/plan.py alone."""

from __future__ import annotations

import pytest
from click import ClickException

from loader.files import File
from loader.plan import Options, Source, Step, batches, steps, to_join

GIB = 1024**3


def file(name: str, size: int = 100) -> File:
    """A file in S3, or a local one if its name begins with a slash."""
    path = name if name.startswith("/") else f"s3://bucket/{name}"
    return File(path, size, "fingerprint", path)


def options(**given) -> Options:
    """The options of a command line that gives these."""
    usual = {"full_refresh": False, "reload": False, "max_errors": 0, "dry_run": False}
    return Options(**{**usual, "join_from": 1_000, "keep_gone": False, **given})


def planned(
    files: list[File], engine: str = "duckdb", join_from: int = 1_000
) -> list[tuple[list[File], bool]]:
    """The batches of these files, and whether they are joined."""
    return list(batches(*to_join(files, join_from), engine == "redshift"))


def sizes(made: list[tuple[list[File], bool]]) -> list[int]:
    """How many files each of the batches has."""
    return [len(files) for files, _ in made]


# --- batches -------------------------------------------------------------------


@pytest.mark.parametrize(("engine", "most"), [("duckdb", 5_000), ("redshift", 100_000)])
def test_a_batch_has_so_many_files(engine: str, most: int) -> None:
    files = [file(f"{number}.json") for number in range(2 * most + 1)]
    made = planned(files, engine, join_from=0)
    assert sizes(made) == [most, most, 1]
    assert [each for batch, _ in made for each in batch] == files


def test_a_batch_has_so_many_bytes() -> None:
    """4 GiB, exactly those too; a file that is larger by itself is a batch of its own."""
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


def test_no_files_are_no_batch() -> None:
    assert planned([]) == []
    assert planned([], "redshift", join_from=1) == []


def test_redshift_copies_each_compression_by_itself() -> None:
    """It is told by the content, not by the name."""
    plain, zipped = file("a.json.gz", 10**6), file("b", 10**6)._replace(compression="gzip")
    assert planned([plain, zipped, plain], "redshift") == [
        ([plain, plain], False),
        ([zipped], False),
    ]
    assert planned([plain, zipped, plain]) == [([plain, zipped, plain], False)]


# --- what is joined ------------------------------------------------------------


@pytest.mark.parametrize("engine", ["duckdb", "redshift"])
def test_small_objects_are_joined_if_they_are_many(engine: str) -> None:
    files = [file(f"{number}.json") for number in range(3)]
    for join_from, is_joined in ((1, True), (3, True), (4, False), (0, False)):
        made = planned(files, engine, join_from=join_from)
        assert sizes(made) == [3]
        assert made[0][1] == is_joined, join_from


def test_up_to_64_kb_an_object_is_small() -> None:
    small, large = file("small.json", 64 * 1024), file("large.json", 64 * 1024 + 1)
    assert planned([large, small, large], join_from=1) == [
        ([large, large], False),
        ([small], True),
    ]
    # The large one does not make them two.
    assert planned([large, small], join_from=2) == [([large, small], False)]


@pytest.mark.parametrize("engine", ["duckdb", "redshift"])
def test_what_is_joined_may_be_zipped_or_not(engine: str) -> None:
    files = [file("a.json"), file("b.json.gz")._replace(compression="gzip")]
    assert planned(files, engine, join_from=2) == [(files, True)]


def test_local_files_are_not_joined() -> None:
    local, remote = file("/log_data/a.json"), file("b.json")
    assert planned([local, remote], join_from=1) == [
        ([local], False),
        ([remote], True),
    ]
    assert planned([local, remote], join_from=2) == [([local, remote], False)]


def test_more_is_joined_at_once_than_duckdb_reads() -> None:
    files = [file(f"{number}.json") for number in range(5_001)]
    assert sizes(planned(files)) == [5_001]


# --- steps ---------------------------------------------------------------------


def source() -> Source:
    """A source table with ten files."""
    files = [file(f"{number}.json") for number in range(10)]
    return Source("staging_events", "s3://bucket/", "DBT_EVENTS_LOCATION", "*", ["ts"], files)


def run(state: str, first: int | None, last: int | None, load_id: int = 0) -> dict:
    """Files of consecutive numbers, as plan_load tells of them."""
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


def told(*runs: dict, **changes) -> dict:
    """What plan_load tells of a source table."""
    usual = {"is_new_type": False, "is_whole_prefix": False, "last_load": {"load_id": 9}}
    return usual | {"files": list(runs)} | changes


def names(step: Step) -> list[str]:
    """The names of a step's files, without bucket and suffix."""
    return [each.file_name.removeprefix("s3://bucket/")[:-5] for each in step.files]


def test_new_files_are_loaded_in_the_order_of_the_listing() -> None:
    (step,) = steps(source(), told(run("new", 7, 9), run("new", 0, 0)), options())
    assert names(step) == ["0", "7", "8", "9"]
    assert (step.replaces, step.is_new_type) == (None, False)


def test_full_refresh_replaces_all() -> None:
    given = told(run("changed", 1, 1, load_id=4), is_whole_prefix=True, is_new_type=True)
    (step,) = steps(source(), given, options(full_refresh=True))
    assert len(step.files) == 10
    assert (step.replaces, step.is_new_type) == ("all", True)


def test_a_table_loaded_without_the_ledger_takes_a_full_refresh() -> None:
    with pytest.raises(ClickException, match="go on with --full-refresh"):
        steps(source(), told(run("new", 0, 9), is_whole_prefix=True), options())


def test_changed_files_wait_for_reload(capsys: pytest.CaptureFixture) -> None:
    runs = [run("changed", 1, 2, load_id=4), run("changed", 5, 5, load_id=4), run("new", 9, 9)]
    (step,) = steps(source(), told(*runs), options())
    assert names(step) == ["9"]
    assert "3 files changed since the load, such as changed.json" in capsys.readouterr().err


def test_reload_replaces_the_loads_of_changed_files(capsys: pytest.CaptureFixture) -> None:
    """Each with all files that were loaded with it, the oldest first; what is new comes last."""
    runs = [
        run("new", 0, 0),
        run("changed", 4, 4, load_id=8),
        run("loaded", 5, 6, load_id=8),
        run("loaded", 1, 1, load_id=3),
        run("changed", 2, 2, load_id=3),
    ]
    first, second, new = steps(source(), told(*runs), options(reload=True))
    assert (names(first), first.replaces) == (["1", "2"], 3)
    assert (names(second), second.replaces) == (["4", "5", "6"], 8)
    assert (names(new), new.replaces) == (["0"], None)
    assert "reloading 2 changed files and those loaded with them, 5 in all" in (
        capsys.readouterr().err
    )


def test_what_is_gone_stops_the_reload_of_its_load_alone() -> None:
    changed, gone = run("changed", 2, 2, load_id=3), run("gone", None, None, load_id=3)
    with pytest.raises(ClickException, match=r"gone\.json was loaded with it and is gone"):
        steps(source(), told(changed, gone), options(reload=True))
    assert len(steps(source(), told(changed, gone | {"load_id": 4}), options(reload=True))) == 2


def test_a_location_must_cover_the_newest_load() -> None:
    """Or some loaded file at least; unless it is said that they are gone on purpose."""
    left, gone = run("loaded", 1, 1), run("gone", None, None, load_id=9)
    elsewhere = run("elsewhere", None, None, load_id=9)
    earlier = run("elsewhere", None, None, load_id=8)
    for runs, is_refused in (
        ((), False),
        ((left, gone), False),
        ((left, earlier), False),
        ((gone,), True),
        ((left, elsewhere), True),
        ((earlier, run("changed", 1, 1)), False),
        ((earlier, run("new", 1, 1)), True),
    ):
        if is_refused:
            with pytest.raises(ClickException, match="not under s3://bucket/"):
                steps(source(), told(*runs), options())
        else:
            steps(source(), told(*runs), options())
        steps(source(), told(*runs), options(keep_gone=True))


def test_a_dry_run_tells_what_is_gone(capsys: pytest.CaptureFixture) -> None:
    gone = told(run("gone", None, None, load_id=3), run("loaded", 1, 1))
    steps(source(), gone, options())
    assert capsys.readouterr().err == ""
    steps(source(), gone, options(dry_run=True))
    assert "1 loaded file gone, such as gone.json" in capsys.readouterr().err
