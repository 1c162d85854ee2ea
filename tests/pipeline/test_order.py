"""Order does not matter: any split of the files into loads, in any order, ends in the same marts.

Random inputs full of conflicts are loaded in random steps, with or without builds in between. In
the end the marts must be those of one load of everything and a full refresh, and those that
expected_star computes.

Where later files correct rows of earlier ones, the order of the loads does matter: the last one
wins. Then the marts must be those of a full refresh of the same raw tables.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .conftest import Project, RedshiftProject, clear, event, input_files, soak_factor, song
from .expected_star import Load
from .test_star import assert_star

HOUR = 3_600_000
# Some compare equal and some only look equal: Python's strip removes the no-break space.
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
        """Its natural key."""
        return ("event", self.user, self.session, self.item, self.hour)

    def logged(self) -> dict:
        """The event as in the logs."""
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
    """A row of the catalog."""

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
        """Its natural key."""
        return ("song", self.number)

    def listed(self) -> dict:
        """The song as in the catalog."""
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
class Correction:
    """New values for an earlier row, given by its number among the events or the songs."""

    kind: type[Event] | type[Song]
    number: int
    changes: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """Files that are loaded together, maybe with an earlier file again, and maybe a build."""

    files: tuple[tuple[Event, ...] | tuple[Song, ...], ...]
    again: int | None
    build: bool
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True)
class Case:
    """Steps. Rows with the same key have the same content unless they are corrected."""

    steps: list[Step]
    is_corrected: bool


EVENT_VALUES = {
    "page": st.sampled_from(("NextSong",) * 4 + ("Home", "Logout", "Submit Upgrade")),
    "level": st.sampled_from(("free", "paid")),
    "first_name": st.sampled_from(("Test", "Other", "")),
    "title": st.sampled_from(TITLES),
    "name": st.sampled_from(NAMES),
    "length": st.sampled_from((100.0, 150.0, 200.5, None)),
    "location": st.sampled_from(("Lansing, MI", "Augusta, GA-SC", "London", None)),
    "user_agent": st.sampled_from(('"Mozilla/5.0 (X11; Linux x86_64) Firefox/31.0"', "curl", None)),
}
EVENTS = st.builds(
    Event,
    user=st.sampled_from(("7", "8", "9", "")),
    item=st.integers(0, 3),
    hour=st.sampled_from((-3, 0, 0, 1, 1, 2, 23, 30)),  # often equal in two sessions
    session=st.integers(1, 2),
    **EVENT_VALUES,
)
SONG_VALUES = {
    "artist": st.sampled_from((1, 2, 3, None)),
    "title": st.sampled_from(TITLES),
    "name": st.sampled_from((*NAMES, 112)),
    "duration": st.sampled_from((100.0, 200.0, 200.5, None)),
    "place": st.sampled_from((None, "", "Lansing, MI", "London")),
    "latitude": st.sampled_from((None, 42.75, -1.5)),
    "year": st.sampled_from((0, 1999, None)),
}
SONGS = st.builds(Song, number=st.integers(1, 10), **SONG_VALUES)


def files_of(rows: st.SearchStrategy) -> st.SearchStrategy:
    """A file with some of these rows."""
    return st.lists(rows, min_size=1, max_size=8).map(tuple)


def corrections(kind: type, values: dict[str, st.SearchStrategy], often: str) -> st.SearchStrategy:
    """Corrections of one value, mostly of `often`, or of title and name."""
    one = st.sampled_from([*values, *[often] * len(values)]).map(lambda name: (name,))
    return st.builds(
        Correction,
        kind=st.just(kind),
        number=st.integers(0, 99),
        changes=(one | one | st.just(("title", "name"))).flatmap(
            lambda names: st.fixed_dictionaries({name: values[name] for name in names})
        ),
    )


STEPS = st.builds(
    Step,
    files=st.lists(files_of(EVENTS) | files_of(SONGS), min_size=1, max_size=3).map(tuple),
    again=st.none() | st.integers(0, 7),
    build=st.booleans(),
)
EVENT_CORRECTIONS = corrections(Event, EVENT_VALUES, often="length")
SONG_CORRECTIONS = corrections(Song, SONG_VALUES, often="name")
CORRECTING_STEPS = st.builds(
    Step,
    files=st.tuples(files_of(EVENTS)) | st.tuples(files_of(EVENTS), files_of(SONGS)),
    again=st.none() | st.integers(0, 7),
    build=st.just(True),
    corrections=st.lists(
        EVENT_CORRECTIONS | EVENT_CORRECTIONS | SONG_CORRECTIONS, min_size=8, max_size=16
    ).map(tuple),
)


def without_contradictions(steps: list[Step]) -> list[Step]:
    """The same steps, but all rows with a key have the content of the first."""
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


def with_corrections(steps: list[Step]) -> list[Step]:
    """The same steps with more files, which correct rows of earlier steps."""
    known: dict[type, list[Event | Song]] = {Event: [], Song: []}
    corrected = []
    for step in steps:
        files = list(step.files)
        for kind, rows in known.items():
            changed = {
                row.key: replace(row, **each.changes)
                for each in step.corrections
                if each.kind is kind and rows
                for row in [rows[each.number % len(rows)]]
            }
            if changed:
                files.append(tuple(changed.values()))
        for rows in files:
            known[type(rows[0])].extend(rows)
        corrected.append(replace(step, files=tuple(files)))
    return corrected


def steps_of(steps: st.SearchStrategy) -> st.SearchStrategy:
    """Two or three of these steps."""
    return st.lists(steps, min_size=2, max_size=3).map(without_contradictions)


CASES = st.builds(Case, steps=steps_of(STEPS), is_corrected=st.just(False)) | st.builds(
    Case, steps=steps_of(CORRECTING_STEPS).map(with_corrections), is_corrected=st.just(True)
)


def run_steps(project: Project, steps: list[Step]) -> list[Load]:
    """Runs the steps on an empty warehouse and builds in the end; returns what each loaded."""
    start_over(project)
    files: list[tuple] = []
    loads: list[Load] = []
    loaded: set[Path] = set()
    for step in steps:
        files.extend(step.files)
        if step.again is not None:
            files.append(files[step.again % len(files)])
        for number, rows in enumerate(files):
            write(project, f"{number}.json", rows)
        new = [set(input_files(folder)) - loaded for folder in (project.events, project.songs)]
        loads.append(Load(*map(sorted, new)))
        loaded.update(*new)
        project.load()
        if step.build:
            project.dbt("run")
    if not steps[-1].build:
        project.dbt("run")
    return loads


def start_over(project: Project) -> None:
    """Empties the warehouse and the input, except for one file of each kind without rows."""
    shutil.rmtree(project.folder / "input", ignore_errors=True)
    if isinstance(project, RedshiftProject):
        clear(project.cluster)
    else:
        project.database.unlink(missing_ok=True)
    project.write_events("empty.json")
    project.write_songs("empty.json")


def write(project: Project, name: str, rows: tuple) -> None:
    """Writes a file unless it exists."""
    if isinstance(rows[0], Song):
        if not (project.songs / name).exists():
            project.write_songs(name, *(row.listed() for row in rows))
    elif not (project.events / name).exists():
        project.write_events(name, *(row.logged() for row in rows))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("engine", "case_count", "group"),
    [("local", 4, group) for group in range(3)] + [("redshift", 3, 0)],
)
def test_order_does_not_matter(
    new_project: Callable[..., Project],
    engine: str,
    case_count: int,
    group: int,
    tried: Callable[..., None],
) -> None:
    """Each group has its own random seed."""
    project, trivial = new_project(engine), []

    @seed(group)
    @settings(
        max_examples=1 + case_count * soak_factor(),
        deadline=None,
        database=None,
        phases=(Phase.generate,),  # shrinking takes many minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(CASES)
    def check(case: Case) -> None:
        if not trivial:  # the first one is the smallest there is
            trivial.append(case)
            return
        tried("orders", 1)
        loads = run_steps(project, case.steps)
        marts = project.marts()
        if not case.is_corrected:
            project.load("--full-refresh")
            loads = [Load(input_files(project.events), input_files(project.songs))]
        project.dbt("run", "--full-refresh")
        for table, rows in project.marts().items():
            assert marts[table] == rows, table
        assert_star(project, *loads)

    check()
