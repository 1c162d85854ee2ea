"""Warnings report what the star leaves out or lacks, and say what they found."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from .conftest import NO_UNIT_TESTS, Project, event, song

WARNINGS = (
    "assert_events_have_a_time",
    "assert_new_levels_and_genders_are_known",
    "assert_new_plays_are_complete",
    "assert_new_plays_are_not_left_out",
    "assert_new_songs_are_complete",
    "assert_no_play_is_left_out",
)
PLAYS = "select item_in_session from fct_songplays order by 1"


def warnings(project: Project, *options: str, code: int = 0) -> tuple[dict[str, int], list[str]]:
    """The number of findings of each test that warns, and the lines about them at the end."""
    run = project.run(
        *("dbt", *options, "--no-use-colors", "test", *NO_UNIT_TESTS),
        *("--target", project.target, "--select", *WARNINGS),
    )
    assert run.code == code, run.text
    counts = re.findall(r"(?:WARN|FAIL) (\d+) (assert_\w+)", run.output)
    lines = [
        re.sub(r"20\d\d-\d\d-\d\d[ T][\d:.]+", "TIME", line.split("  ", 1)[1])
        for line in run.output.splitlines()
        if re.search(r"  assert_\w+: ", line)
    ]
    return {name: int(number) for number, name in counts}, sorted(lines)


def test_plays_that_are_left_out_are_reported(project: Project) -> None:
    """Those without a user, whatever stands in place of userId, and those on another page."""
    renamed = event(12)
    renamed["subscriber"] = renamed.pop("userId")
    project.write_events("2018/11/new.json", event(11, userId=""), renamed, event(13, userId=None))
    listened = event(14, page="Listen")
    logged_out = event(15, page="Home", userId="", song=None, artist=None, length=None)
    project.write_events("2018/11/other.json", listened, logged_out)
    project.load()
    project.dbt("run")
    assert project.query(PLAYS) == [(1,), (2,), (3,)]
    found, lines = warnings(project)
    assert found == {"assert_new_plays_are_not_left_out": 4, "assert_no_play_is_left_out": 4}
    first = "loaded_since: TIME, first_event_at: TIME, first_session_id: 70, first_item_in_session:"
    assert lines == [
        f"{test}: reason: {reason}, play_count: {count}, {first} {item}, first_ts: {ts}"
        for test in ("assert_new_plays_are_not_left_out", "assert_no_play_is_left_out")
        for reason, count, item, ts in (
            ("NextSong without a user", 3, 11, event(11)["ts"]),
            ("a song on page Listen", 1, 14, event(14)["ts"]),
        )
    ]
    # The same if warnings are errors; and nothing if there are none.
    assert warnings(project, "--warn-error", code=1) == (found, lines)
    project.execute("delete from sparkify_raw.staging_events where iteminsession > 10")
    log = project.with_log()
    assert warnings(project) == ({}, [])
    assert "as found" not in log.read_text()


def test_impossible_timestamps_are_reported(project: Project) -> None:
    """Seconds, microseconds and nanoseconds are recognized, and a time before 2000 is impossible. A
    ts in nanoseconds is too large for a whole number."""
    seconds, registered = 1541106106, 1540919166
    project.write_events("seconds.json", event(11, ts=seconds), event(12, ts=seconds + 60))
    project.write_events("micro.json", event(13, ts=seconds * 10**6))
    project.write_events("early.json", event(15, ts=0), event(16, ts=946_684_799_999))
    project.write_events("late.json", event(17, ts=2**53 - 1), event(18, ts=5_662_310_400_000))
    last = {"userId": "8", "registration": 1e300}
    project.write_events(
        "user.json",
        event(14, userId="10", registration=registered * 10**9),
        event(19, userId="9", registration=registered + 0.5),
    )
    project.write_events("edge.json", event(20, ts=946_684_800_000), event(21, **last))
    project.load()
    project.dbt("run")
    assert project.query(PLAYS) == [(1,), (2,), (3,), (14,), (19,), (20,), (21,)]
    assert project.query(
        "select user_id, registered_at from dim_users where user_id > 7 order by 1"
    ) == [
        (8, None),
        (9, None),
        (10, None),
    ]
    assert project.query("select min(year), max(year) from dim_time") == [(2000, 2018)]
    found, lines = warnings(project)
    assert found["assert_events_have_a_time"] == 10
    kinds = {
        "registration is after mid-2149": 1,
        "registration looks like nanoseconds": 1,
        "registration looks like seconds": 1,
        "ts is after mid-2149": 2,
        "ts is before 2000": 2,
        "ts looks like microseconds": 1,
        "ts looks like seconds": 2,
    }
    shown = [line for line in lines if line.startswith("assert_events_have_a_time: ")]
    assert [line.rpartition(": ")[0] for line in shown] == [
        f"assert_events_have_a_time: problem: {kind}, event_count: {number},"
        " loaded_since: TIME, example"
        for kind, number in kinds.items()
    ]
    assert [line.rpartition(": ")[2] for line in shown[-2:]] == ["1541106106000000", "1541106106"]
    project.write_events("nano.json", event(15, ts=seconds * 10**9))
    assert "not a whole number of at most" in project.load(fails=True).errors


def test_columns_that_many_new_rows_lack_are_reported(project: Project) -> None:
    """One in twenty rows may lack one; a renamed key is missing in all."""
    plays = [event(item) for item in range(10, 27)]  # twenty with those there are
    project.write_events("2018/11/new.json", *plays[1:], event(30, artist=None))
    project.write_songs("named.json", {"name": "Title 3", **song(3)})
    project.load()
    project.dbt("run")
    assert warnings(project) == ({}, [])
    for each in plays:
        each["track"] = each.pop("song")
    project.write_events("2018/11/renamed.json", *plays)
    renamed = song(4)
    renamed["name"] = renamed.pop("title")
    project.write_songs("renamed.json", renamed)
    project.load()
    project.dbt("run")
    found, lines = warnings(project)
    assert found == {"assert_new_plays_are_complete": 1, "assert_new_songs_are_complete": 1}
    assert lines == [
        "assert_new_plays_are_complete: column_name: song_title, lacking_count: 17,"
        " play_count: 37, loaded_since: TIME",
        "assert_new_songs_are_complete: column_name: title, lacking_count: 1,"
        " song_count: 4, loaded_since: TIME",
    ]


def test_a_level_or_gender_that_is_not_listed(project: Project) -> None:
    """The rows are kept, in each table and in joins, until the value is listed."""
    project.write_events("new.json", event(11, level="premium", gender="X"))
    project.load()
    run = project.run("dbt", "--no-use-colors", "build", *NO_UNIT_TESTS, "--target", project.target)
    assert run.code == 0, run.text
    assert "WARN=1 ERROR=0 SKIP=0" in run.output
    joined = """
        select songplays.level, users.level, users.gender, user_levels.level, sessions.end_level
        from fct_songplays as songplays
        inner join dim_users as users on songplays.user_id = users.user_id
        inner join dim_user_levels as user_levels
            on songplays.user_id = user_levels.user_id and user_levels.is_current
        inner join fct_sessions as sessions on songplays.session_id = sessions.session_id
        order by songplays.item_in_session desc
    """
    assert project.query(joined)[0] == ("premium", "premium", "X", "premium", "premium")
    assert len(project.query(joined)) == 4
    assert warnings(project) == (
        {"assert_new_levels_and_genders_are_known": 2},
        [
            f"assert_new_levels_and_genders_are_known: column_name: {column}, unknown_value:"
            f" {value}, event_count: 1, loaded_since: TIME"
            for column, value in (("gender", "X"), ("level", "premium"))
        ],
    )
    path = project.folder / "dbt_project.yml"
    text = path.read_text().replace("[free, paid]", "[free, paid, premium]")
    path.write_text(text.replace("[F, M]", "[F, M, X]"))
    assert warnings(project) == ({}, [])


FIRST_DAY = date(2018, 10, 1)  # a Monday
DAY_TESTS = ("assert_days_are_complete", "assert_new_days_are_complete")


def write_days(project: Project, last: int, missing: set[tuple[int, str]], few: set[int]) -> None:
    """Writes two files for each day, except those missing: a with four sessions, b with five, eight
    from Monday to Friday, and each with one on the first, the last and the few days."""
    for number in range(last + 1):
        day = FIRST_DAY + timedelta(number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
        for file, sessions in {"a": 4, "b": 8 if day.weekday() < 5 else 5}.items():
            count = 1 if number in {0, last} | few else sessions
            events = [
                event(n, ts=int(noon) * 1000, userId=f"{n}{ord(file)}", sessionId=number)
                for n in range(count)
            ]
            if (number, file) not in missing:
                project.write_events(f"{day:%Y/%m/%Y-%m-%d}-{file}.json", *events)


def days_told(project: Project) -> dict[str, list[tuple[str, ...]]]:
    """For each test of days, the days that it warns of, with their figures."""
    run = project.run(
        *("dbt", "--no-use-colors", "test", *NO_UNIT_TESTS, "--target", project.target),
        *("--select", *DAY_TESTS),
    )
    assert run.code == 0, run.text
    found: dict[str, list[tuple[str, ...]]] = {name: [] for name in DAY_TESTS}
    for name, figures in re.findall(r"  (assert_\w+): (day: .*)", run.output):
        found[name].append(tuple(re.findall(r": ([\d-]+)", figures)))
    assert [str(len(rows)) for rows in found.values() if rows] == [
        count for name in DAY_TESTS for count in re.findall(rf"WARN (\d+) {name}\b", run.output)
    ]
    return found


def test_days_that_lack_files_are_reported(project: Project) -> None:
    """Days without files or without one of two, and days with few sessions; not the first and the
    last day, which are partial, nor weekends. Nightly only those of the last week."""
    shutil.rmtree(project.events)
    missing = {(22, "a"), (22, "b"), (43, "a"), (43, "b"), (45, "b"), (48, "b")}
    write_days(project, 48, missing, few={46, 47})
    project.load()
    project.dbt("run")
    recent = [
        ("2018-11-13", "0", "12", "0", "2"),
        ("2018-11-15", "4", "12", "1", "2"),
        ("2018-11-16", "2", "12", "2", "2"),
    ]
    old = ("2018-10-23", "0", "12", "0", "2")
    assert days_told(project) == {
        "assert_days_are_complete": [old, *recent],
        "assert_new_days_are_complete": recent,
    }

    path = project.folder / "dbt_project.yml"
    quiet = "quiet_days: [2018-10-23, 2018-11-16]"
    path.write_text(path.read_text().replace("quiet_days: []", quiet))
    told = days_told(project)
    assert told["assert_days_are_complete"] == told["assert_new_days_are_complete"] == recent[:2]

    write_days(project, 48, set(), few=set())  # the files arrive
    path.write_text(path.read_text().replace(quiet, "quiet_days: []"))
    project.load()
    project.dbt("run")
    assert days_told(project)["assert_new_days_are_complete"] == recent[2:]


def test_a_young_service_is_not_warned_of(local_project: Project) -> None:
    """Until two of a weekday or a week of files can be compared; and never of files without a usual
    number."""
    project = local_project
    shutil.rmtree(project.events)

    def told(last: int, few: set[int]) -> list[tuple[str, ...]]:
        write_days(project, last, {(5, "a")}, few)
        project.load()
        project.dbt("run")
        (days,) = {tuple(days) for days in days_told(project).values()}
        return list(days)

    assert told(8, set()) == []
    # Of a second Tuesday with two sessions, but one Tuesday before it, nothing is said.
    assert told(9, {8}) == [("2018-10-06", "5", "1", "2")]
    for number in (6, 7):
        day = FIRST_DAY + timedelta(number)
        project.write_events(f"{day}-c.json", event(1, sessionId=number))
    assert told(9, {8}) == []


def test_days_of_whole_data_are_not_warned_of(
    new_project: Callable[..., Project], data: Path
) -> None:
    """The days of the sample and of real data differ much in their events."""
    project = new_project("local", data)
    project.load()
    project.dbt("run")
    assert days_told(project) == {name: [] for name in DAY_TESTS}
