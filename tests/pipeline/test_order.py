"""Order does not matter: any split of the files into loads, in any order, ends in the same marts.

Random inputs full of conflicts are loaded in random steps, with builds in between or without. In
the end the marts must be those of one load of everything and a full refresh, and those that
expected_star computes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .conftest import Project, RedshiftProject, clear, event, input_files, soak_factor, song
from .expected_star import Load
from .test_star import assert_star

HOUR = 3_600_000
# Some compare equal, some only look so: Python, unlike the project, strips the last's blank.
TITLES = ("One", "one", " ONE ", "Two", "Two\u00a0", "", None)
NAMES = ("Band", "band ", "Duo", "DUO", "112", " ", None)


@dataclass(frozen=True)
class Event:
    """An event of the logs."""

    user: str
    item: int
    hour: int
    session: int
    page: str
    level: str
    first_name: str
    title: str | None
    name: str | None
    length: float | None
    location: str | None
    user_agent: str | None

    @property
    def key(self) -> tuple:
        """What it is known by."""
        return ("event", self.user, self.session, self.item, self.hour)

    def logged(self) -> dict:
        """As the logs have it."""
        return event(
            self.item,
            userId=self.user,
            sessionId=self.session,
            ts=1541106106796 + HOUR * self.hour,
            page=self.page,
            level=self.level,
            firstName=self.first_name,
            song=self.title,
            artist=self.name,
            length=self.length,
            location=self.location,
            userAgent=self.user_agent,
        )


@dataclass(frozen=True)
class Song:
    """A row of the catalogue."""

    number: int
    artist: int
    title: str | None
    name: str | int | None
    duration: float | None
    place: str | None
    latitude: float | None
    year: int | None

    @property
    def key(self) -> tuple:
        """What it is known by."""
        return ("song", self.number)

    def listed(self) -> dict:
        """As the catalogue has it."""
        return song(
            self.number,
            artist_id=f"AR{self.artist:016}" if self.artist else None,
            title=self.title,
            artist_name=self.name,
            duration=self.duration,
            artist_location=self.place,
            artist_latitude=self.latitude,
            artist_longitude=self.latitude,
            year=self.year,
        )


@dataclass(frozen=True)
class Step:
    """Files that are loaded together, a file of before once more among them, and maybe a build."""

    files: tuple[tuple[Event, ...] | tuple[Song, ...], ...]
    again: int | None
    build: bool


EVENTS = st.builds(
    Event,
    user=st.sampled_from(("7", "8", "9", "")),
    item=st.integers(0, 3),
    hour=st.integers(-3, 30),
    session=st.integers(1, 2),
    page=st.sampled_from(("NextSong",) * 4 + ("Home", "Logout", "Submit Upgrade")),
    level=st.sampled_from(("free", "paid")),
    first_name=st.sampled_from(("Test", "Other", "")),
    title=st.sampled_from(TITLES),
    name=st.sampled_from(NAMES),
    length=st.sampled_from((100.0, 150.0, 200.5, None)),
    location=st.sampled_from(("Lansing, MI", "Augusta, GA-SC", "London", None)),
    user_agent=st.sampled_from(('"Mozilla/5.0 (X11; Linux x86_64) Firefox/31.0"', "curl", None)),
)
SONGS = st.builds(
    Song,
    number=st.integers(1, 10),
    artist=st.sampled_from((1, 2, 3, None)),
    title=st.sampled_from(TITLES),
    name=st.sampled_from((*NAMES, 112)),
    duration=st.sampled_from((100.0, 200.0, 200.5, None)),
    place=st.sampled_from((None, "", "Lansing, MI", "London")),
    latitude=st.sampled_from((None, 42.75, -1.5)),
    year=st.sampled_from((0, 1999, None)),
)


def files_of(rows: st.SearchStrategy) -> st.SearchStrategy:
    """Files with some of these rows."""
    return st.lists(rows, min_size=1, max_size=8).map(tuple)


STEPS = st.builds(
    Step,
    files=st.lists(files_of(EVENTS) | files_of(SONGS), min_size=1, max_size=3).map(tuple),
    again=st.none() | st.integers(0, 7),
    build=st.booleans(),
)


def without_contradictions(steps: list[Step]) -> list[Step]:
    """The same steps, but rows with one key have one content, that of the first."""
    known: dict[tuple, Event | Song] = {}
    return [
        replace(
            step,
            files=tuple(
                tuple(known.setdefault(row.key, row) for row in rows) for rows in step.files
            ),
        )
        for step in steps
    ]


CASES = st.lists(STEPS, min_size=2, max_size=3).map(without_contradictions)


def take(project: Project, steps: list[Step]) -> None:
    """Takes the steps, on an empty warehouse, and builds in the end."""
    start_anew(project)
    files: list[tuple] = []
    for step in steps:
        files.extend(step.files)
        if step.again is not None:
            files.append(files[step.again % len(files)])
        for number, rows in enumerate(files):
            write(project, f"{number}.json", rows)
        project.load()
        if step.build:
            project.dbt("run")
    if not steps[-1].build:
        project.dbt("run")


def start_anew(project: Project) -> None:
    """Empties the warehouse and the input, but for a file of each kind that has no row."""
    shutil.rmtree(project.folder / "input", ignore_errors=True)
    if isinstance(project, RedshiftProject):
        clear(project.cluster)
    else:
        project.database.unlink(missing_ok=True)
    project.write_events("empty.json")
    project.write_songs("empty.json")


def write(project: Project, name: str, rows: tuple) -> None:
    """Writes a file unless it is there already."""
    if isinstance(rows[0], Song):
        if not (project.songs / name).exists():
            project.write_songs(name, *(row.listed() for row in rows))
    elif not (project.events / name).exists():
        project.write_events(name, *(row.logged() for row in rows))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("engine", "case_count", "group"),
    [("local", 10, group) for group in range(5)] + [("redshift", 4, group) for group in range(2)],
)
def test_order_does_not_matter(
    new_project: Callable[..., Project],
    engine: str,
    case_count: int,
    group: int,
) -> None:
    """Groups of cases, each with random numbers of its own."""
    project, trivial = new_project(engine), []

    @seed(group)
    @settings(
        max_examples=1 + case_count * soak_factor(),
        deadline=None,
        database=None,
        phases=(Phase.generate,),  # to shrink a case takes many minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(CASES)
    def check(steps: list[Step]) -> None:
        if not trivial:  # the first one has the least of all
            trivial.append(steps)
            return
        take(project, steps)
        marts = project.marts()
        project.load("--full-refresh")
        project.dbt("run", "--full-refresh")
        for table, rows in project.marts().items():
            assert marts[table] == rows, table
        assert_star(project, Load(input_files(project.events), input_files(project.songs)))

    check()
