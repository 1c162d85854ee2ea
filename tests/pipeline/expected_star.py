"""What the star schema must hold, computed a second time in plain Python.

The tests load some input, build the project, and compare its marts with what this module computes
from the same files. On purpose it shares nothing with the project's SQL: no query, no macro, no
list of columns. It follows only the written rules and has all input in memory at once, so it
needs no staging, no increments and no watermarks. Where the two disagree, one of them is wrong.

The rules, in short:

- Text that is empty or only spaces is null; other text is kept exactly as logged.
- Names are compared in lower case and without surrounding spaces.
- Of rows that share a key, the one loaded last wins; of those loaded together, the one whose
  content sorts first, nulls last.
- A play finds the catalog song of its title and artist name that is nearest in length. A play
  that finds none gets an inferred song, and an inferred artist if the catalog lacks that too.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Row = dict[str, Any]
SongKey = tuple[str, str]  # title and artist name, as compared
Item = TypeVar("Item")

EPOCH = datetime(1970, 1, 1)
UNKNOWN = "Unknown"


@dataclass
class Load:
    """The files loaded together at one moment."""

    events: list[Path]
    songs: list[Path]


@dataclass(slots=True)
class Event:
    """An event of a logged-in user, cleaned."""

    load: int
    page: str | None
    user_id: int
    session_id: int
    item_in_session: int
    ts: int
    first_name: str | None
    last_name: str | None
    gender: str | None
    level: str | None
    registered_at: datetime | None
    title: str | None
    artist_name: str | None
    length: float | None
    location: str | None
    user_agent: str | None

    @property
    def key(self) -> tuple[int, int, int, int]:
        return (self.user_id, self.session_id, self.item_in_session, self.ts)

    @property
    def start_time(self) -> datetime:
        return from_milliseconds(self.ts)

    @property
    def start_hour(self) -> datetime:
        return self.start_time.replace(minute=0, second=0, microsecond=0)

    @property
    def artist_key(self) -> str:
        return as_compared(self.artist_name)

    @property
    def song_key(self) -> SongKey:
        return (as_compared(self.title), self.artist_key)


@dataclass(slots=True)
class Song:
    """A song of the catalog, cleaned."""

    load: int
    song_id: str
    title: str | None
    artist_id: str
    artist_name: str | None
    artist_location: str | None
    artist_latitude: float | None
    artist_longitude: float | None
    year: int | None
    duration: float | None

    @property
    def artist_key(self) -> str | None:
        return None if self.artist_name is None else as_compared(self.artist_name)

    @property
    def song_key(self) -> SongKey | None:
        """Null, so that no play matches, unless the song has a title and an artist name."""
        if self.title is None or self.artist_key is None:
            return None
        return (as_compared(self.title), self.artist_key)


def expected_star(loads: list[Load]) -> dict[str, list[Row]]:
    """The star after these loads, given in order of time: rows sorted by key."""
    events = one_per_event(read_events(loads))
    plays = plays_among(events)
    catalog = Catalog(one_per_song_id(read_songs(loads)))
    return {
        "fct_songplays": sorted_by("songplay_id", fct_songplays(plays, catalog)),
        "dim_users": sorted_by("user_id", dim_users(events)),
        "dim_songs": sorted_by("song_id", dim_songs(plays, catalog)),
        "dim_artists": sorted_by("artist_id", dim_artists(plays, catalog)),
        "dim_time": sorted_by("start_hour", dim_time(plays)),
    }


# Reading


def read_objects(path: Path, decoder: json.JSONDecoder | None = None) -> Iterator[dict]:
    """The JSON objects of a file in any layout: one per line, over several lines, or in a row with
    nothing in between. A file whose name ends in .gz is unpacked."""
    decoder = decoder or json.JSONDecoder()
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    position = after_blanks(text, 0)
    while position < len(text):
        value, end = decoder.raw_decode(text, position)
        if not isinstance(value, dict):
            raise TypeError(f"{path}, character {position}: not a JSON object")
        yield value
        position = after_blanks(text, end)


def after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def read_as_written(path: Path) -> Iterator[dict]:
    """The same objects with numbers as the text in the file: an artist may be called 112, and one
    called 1.50 is not called 1.5."""
    return read_objects(path, json.JSONDecoder(parse_int=str, parse_float=str))


def read_events(loads: list[Load]) -> list[Event]:
    """The events of logged-in users; the marts need no others."""
    return [
        to_event(load_number, logged)
        for load_number, load in enumerate(loads)
        for path in load.events
        for logged in read_as_written(path)
        if to_text(logged.get("userId")) is not None
    ]


def read_songs(loads: list[Load]) -> list[Song]:
    """The catalog, without the rows that lack a song id or an artist id."""
    return [
        to_song(load_number, listed)
        for load_number, load in enumerate(loads)
        for path in load.songs
        for listed in read_as_written(path)
        if to_text(listed.get("song_id")) is not None
        and to_text(listed.get("artist_id")) is not None
    ]


def to_event(load_number: int, logged: dict) -> Event:
    return Event(
        load=load_number,
        page=to_text(logged.get("page")),
        user_id=needed_integer(logged, "userId"),
        session_id=needed_integer(logged, "sessionId"),
        item_in_session=needed_integer(logged, "itemInSession"),
        ts=needed_integer(logged, "ts"),
        first_name=to_text(logged.get("firstName")),
        last_name=to_text(logged.get("lastName")),
        gender=to_text(logged.get("gender")),
        level=to_text(logged.get("level")),
        registered_at=to_registered_at(logged.get("registration")),
        title=to_text(logged.get("song")),
        artist_name=to_text(logged.get("artist")),
        length=to_float(logged.get("length")),
        location=to_text(logged.get("location")),
        user_agent=without_quotes(to_text(logged.get("userAgent"))),
    )


def to_song(load_number: int, listed: dict) -> Song:
    return Song(
        load=load_number,
        song_id=listed["song_id"],
        title=to_text(listed.get("title")),
        artist_id=listed["artist_id"],
        artist_name=to_text(listed.get("artist_name")),
        artist_location=to_text(listed.get("artist_location")),
        artist_latitude=to_float(listed.get("artist_latitude")),
        artist_longitude=to_float(listed.get("artist_longitude")),
        year=to_integer(listed.get("year")) or None,  # 0 means unknown
        duration=to_float(listed.get("duration")),
    )


# Cleaning


def to_text(value: Any) -> str | None:
    """Text exactly as logged, or None if it is empty or only spaces."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {value!r}")
    return value if value.strip(" ") else None


def to_float(value: Any) -> float | None:
    text = to_text(value)
    return None if text is None else float(text)


def to_integer(value: Any) -> int | None:
    text = to_text(value)
    if text is None:
        return None
    number = Decimal(text)  # not int(text): 3.0 is an integer too
    if number != int(number):
        raise ValueError(f"integer expected, not {text}")
    return int(number)


def needed_integer(logged: dict, name: str) -> int:
    number = to_integer(logged.get(name))
    if number is None:
        raise ValueError(f"an event without {name}: {logged}")
    return number


def to_registered_at(value: Any) -> datetime | None:
    """Logged as milliseconds, but written as a float: 1540919166796.0."""
    text = to_text(value)
    return None if text is None else from_milliseconds(int(Decimal(text)))


def from_milliseconds(milliseconds: int) -> datetime:
    """UTC, without a time zone, and exact: no float is involved."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def without_quotes(user_agent: str | None) -> str | None:
    """Without the one pair of double quotes that usually surrounds it."""
    if user_agent is None or len(user_agent) < 2:
        return user_agent
    if user_agent.startswith('"') and user_agent.endswith('"'):
        return to_text(user_agent[1:-1])
    return user_agent


@cache
def as_compared(name: str) -> str:
    """lower(trim(both ' ' from name)), character by character as databases do it: Python's lower()
    turns a dotted capital I into two, and a capital sigma depends on its place."""
    trimmed = name.strip(" ")
    if trimmed.isascii():
        return trimmed.lower()
    return "".join(character.lower()[0] for character in trimmed)


# Which of several rows counts


def nulls_last(*values: Any) -> tuple:
    """A sort key: these values in turn, ascending, with nulls last."""
    return tuple((value is None, value) for value in values)


def grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> dict[Any, list[Item]]:
    """The items by key, without those whose key is null."""
    groups: dict[Any, list[Item]] = defaultdict(list)
    for item in items:
        if (group := key(item)) is not None:
            groups[group].append(item)
    return dict(groups)


def one_per_event(events: Iterable[Event]) -> list[Event]:
    """An event that is loaded several times counts once, as loaded last."""

    def preference(event: Event) -> tuple:
        return (
            -event.load,
            nulls_last(
                event.page,
                event.level,
                event.title,
                event.artist_name,
                event.length,
                event.location,
                event.user_agent,
                event.first_name,
                event.last_name,
                event.gender,
                event.registered_at,
            ),
        )

    return [min(same, key=preference) for same in grouped(events, lambda e: e.key).values()]


def one_per_song_id(songs: Iterable[Song]) -> list[Song]:
    """A song that is listed several times counts once, as loaded last."""

    def preference(song: Song) -> tuple:
        return (
            -song.load,
            nulls_last(
                song.title,
                song.artist_id,
                song.artist_name,
                song.artist_location,
                song.artist_latitude,
                song.artist_longitude,
                song.year,
                song.duration,
            ),
        )

    return [min(same, key=preference) for same in grouped(songs, lambda s: s.song_id).values()]


def plays_among(events: list[Event]) -> list[Event]:
    """The events that are plays, with a name for unnamed songs and artists."""
    return [
        replace(event, title=event.title or UNKNOWN, artist_name=event.artist_name or UNKNOWN)
        for event in events
        if event.page == "NextSong"
    ]


def latest_event(events: list[Event]) -> Event:
    """The event that shows the current state of a user."""
    return max(events, key=lambda event: (event.ts, event.session_id, event.item_in_session))


# How a play finds its song and its artist


class Catalog:
    """The songs of the catalog, one per song id, and lookups by key."""

    def __init__(self, songs: list[Song]) -> None:
        self.songs = songs
        self.by_song_key: dict[SongKey, list[Song]] = grouped(songs, lambda s: s.song_key)
        self.by_artist_key: dict[str, list[Song]] = grouped(songs, lambda s: s.artist_key)
        self.by_artist_id: dict[str, list[Song]] = grouped(songs, lambda s: s.artist_id)

    def lacks_song_of(self, play: Event) -> bool:
        return play.song_key not in self.by_song_key

    def lacks_artist_of(self, play: Event) -> bool:
        return play.artist_key not in self.by_artist_key

    def nearest_song(self, play: Event) -> Song:
        """The one nearest in length, of the songs with the play's title and artist name."""
        return min(
            self.by_song_key[play.song_key],
            key=lambda song: (distance(song.duration, play.length), song.song_id),
        )

    def artist_id_of_name(self, artist_key: str) -> str:
        """The artist who has the most songs under this name, then the smallest id."""
        counts = Counter(song.artist_id for song in self.by_artist_key[artist_key])
        return min(counts, key=lambda artist_id: (-counts[artist_id], artist_id))


def distance(duration: float | None, length: float | None) -> float:
    if duration is None or length is None:
        return math.inf
    return abs(duration - length)


def song_and_artist_id(play: Event, catalog: Catalog) -> tuple[str, str]:
    if catalog.lacks_song_of(play):
        return inferred_song_id(play.song_key), artist_id_of_inferred_song(play, catalog)
    song = catalog.nearest_song(play)
    return song.song_id, song.artist_id


def artist_id_of_inferred_song(play: Event, catalog: Catalog) -> str:
    if catalog.lacks_artist_of(play):
        return inferred_artist_id(play.artist_key)
    return catalog.artist_id_of_name(play.artist_key)


def inferred_song_id(song_key: SongKey) -> str:
    return "XS" + md5("|".join(song_key))[:16].upper()


def inferred_artist_id(artist_key: str) -> str:
    return "XA" + md5(artist_key)[:16].upper()


def md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


# The tables


def sorted_by(key: str, rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row[key])


def fct_songplays(plays: list[Event], catalog: Catalog) -> Iterator[Row]:
    for play in plays:
        song_id, artist_id = song_and_artist_id(play, catalog)
        yield {
            "songplay_id": md5("|".join(str(part) for part in play.key)),
            "start_time": play.start_time,
            "start_hour": play.start_hour,
            "user_id": play.user_id,
            "level": play.level,
            "song_id": song_id,
            "artist_id": artist_id,
            "session_id": play.session_id,
            "item_in_session": play.item_in_session,
            "location": play.location,
            "user_agent": play.user_agent,
        }


def dim_users(events: list[Event]) -> Iterator[Row]:
    for user_id, events_of_user in grouped(events, lambda e: e.user_id).items():
        latest = latest_event(events_of_user)
        yield {
            "user_id": user_id,
            "first_name": latest.first_name,
            "last_name": latest.last_name,
            "gender": latest.gender,
            "level": latest.level,
            "registered_at": latest.registered_at,
        }


def dim_songs(plays: list[Event], catalog: Catalog) -> Iterator[Row]:
    for song in catalog.songs:
        yield {
            "song_id": song.song_id,
            "title": song.title or UNKNOWN,
            "artist_id": song.artist_id,
            "year": song.year,
            "duration": song.duration,
            "is_in_catalog": True,
        }
    heard = filter(catalog.lacks_song_of, plays)
    for song_key, plays_of_song in grouped(heard, lambda p: p.song_key).items():
        lengths = [play.length for play in plays_of_song if play.length is not None]
        yield {
            "song_id": inferred_song_id(song_key),
            "title": min(play.title for play in plays_of_song),
            "artist_id": artist_id_of_inferred_song(plays_of_song[0], catalog),
            "year": None,
            "duration": min(lengths, default=None),
            "is_in_catalog": False,
        }


def dim_artists(plays: list[Event], catalog: Catalog) -> Iterator[Row]:
    for artist_id, songs in catalog.by_artist_id.items():
        located = song_that_locates(songs)
        yield {
            "artist_id": artist_id,
            "name": most_frequent_name(songs),
            "location": located.artist_location,
            "latitude": located.artist_latitude,
            "longitude": located.artist_longitude,
            "is_in_catalog": True,
        }
    heard = filter(catalog.lacks_artist_of, plays)
    for artist_key, plays_of_artist in grouped(heard, lambda p: p.artist_key).items():
        yield {
            "artist_id": inferred_artist_id(artist_key),
            "name": min(play.artist_name for play in plays_of_artist),
            "location": None,
            "latitude": None,
            "longitude": None,
            "is_in_catalog": False,
        }


def most_frequent_name(songs: list[Song]) -> str:
    """The spelling that most of an artist's songs have, then the shortest, then the smallest."""
    counts = Counter(song.artist_name for song in songs if song.artist_name is not None)
    return min(counts, key=lambda name: (-counts[name], len(name), name), default=UNKNOWN)


def song_that_locates(songs: list[Song]) -> Song:
    """The song that gives an artist's location and coordinates: first one with both, then one with
    only a location, then the smallest song id."""

    def preference(song: Song) -> tuple:
        has_location = song.artist_location is not None
        has_coordinates = song.artist_latitude is not None and song.artist_longitude is not None
        return (not (has_location and has_coordinates), not has_location, song.song_id)

    return min(songs, key=preference)


def dim_time(plays: list[Event]) -> Iterator[Row]:
    """Every hour from the first play's to the last's."""
    if not plays:
        return
    hour = min(plays, key=lambda p: p.ts).start_hour
    last = max(plays, key=lambda p: p.ts).start_hour
    while hour <= last:
        yield {
            "start_hour": hour,
            "hour": hour.hour,
            "day": hour.day,
            "week": hour.isocalendar().week,
            "month": hour.month,
            "year": hour.year,
            "weekday": hour.isoweekday() % 7,  # 0 is Sunday
            "week_start": hour.date() - timedelta(days=hour.weekday()),
        }
        hour += timedelta(hours=1)
