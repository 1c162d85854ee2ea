"""Writes an input of any size: days of events and a catalog of songs.

    python benchmarks/generate.py input --events 2000000 --songs 20000

writes input/log_data/, one file per day, and input/song_data/, --song-files files. An event has
about 450 bytes, and half of the plays are of songs in the catalog. The same options make the same
input.
"""

from __future__ import annotations

from pathlib import Path

import click
import duckdb

FIRST_DAY = 16_000  # days since 1970
EVENTS = """
    select
        case when is_play then 'Artist ' || song % {artists} end as artist,
        case when is_known then 'Logged In' else 'Logged Out' end as auth,
        case when is_known then 'First ' || user % 100 end as "firstName",
        case when is_known then case when user % 2 = 0 then 'F' else 'M' end end as gender,
        item as "itemInSession",
        case when is_known then 'Last ' || user % 500 end as "lastName",
        case when is_play then 100.5 + song % 200 end as length,
        case when (user + day // 7) % 3 = 0 then 'paid' else 'free' end as level,
        case when is_known then 'Place ' || user % 300 || ', '
            || ['CA', 'NY-NJ-PA', 'TX', 'GA-SC', 'MI'][1 + user % 5] end as location,
        case when is_play then 'PUT' else 'GET' end as method,
        case
            when is_play then 'NextSong'
            when not is_known then 'Login'
            else ['Home', 'Logout', 'Help', 'Submit Upgrade', 'Error'][1 + item % 5]
        end as page,
        case when is_known then 1540919166796.0 + user end as registration,
        day * {users} + user as "sessionId",
        case when is_play then 'Title ' || song end as song,
        200 as status,
        day * 86400000 + item * 86400000 // {events_a_day} as ts,
        case when is_known then '"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36'
            || ' (KHTML, like Gecko) Chrome/' || 30 + user % 7 || '.0.1985.125 Safari/537.36"' end
            as "userAgent",
        case when is_known then cast(user as varchar) else '' end as "userId"
    from (
        select
            day,
            item,
            cast(hash(day, item) % {users} as bigint) as user,
            cast(hash(item, day) % (2 * {songs}) as bigint) as song,
            item % 50 > 0 as is_known,
            item % 8 > 0 and item % 50 > 0 as is_play
        from range({first}, {end}) as days (day), range({events_a_day}) as items (item)
    )
"""
SONGS = """
    select
        1 as num_songs,
        format('AR{{:016d}}', song % {artists}) as artist_id,
        case when song % 3 = 0 then 30.0 + song % 20 end as artist_latitude,
        case when song % 3 = 0 then -80.0 - song % 20 end as artist_longitude,
        case when song % 3 = 0 then 'Lansing, MI' else '' end as artist_location,
        'Artist ' || song % {artists} as artist_name,
        format('SO{{:016d}}', song) as song_id,
        'Title ' || song as title,
        100.5 + song % 200 as duration,
        case when song % 2 = 0 then 0 else 1950 + song % 60 end as year
    from range({first}, {last}) as songs (song)
"""


def events_of_days(day: int, days: int, events: int, songs: int) -> str:
    """A query for the events of some days, from a day counted from 0, with so many events a day."""
    return EVENTS.format(
        first=FIRST_DAY + day,
        end=FIRST_DAY + day + days,
        events_a_day=events,
        songs=songs,
        artists=max(1, songs // 4),
        users=max(100, events // 20),
    )


def write_day(folder: Path, day: int, events: int, songs: int) -> None:
    """Writes the file of one day, counted from 0, to folder/log_data."""
    query = events_of_days(day, 1, events, songs)
    path = folder / "log_data" / f"{day:05}-events.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({query}) to '{path}' (format json)")


def write_songs(folder: Path, songs: int, files: int) -> None:
    """Writes folder/song_data."""
    (folder / "song_data").mkdir(parents=True, exist_ok=True)
    for number in range(files):
        first, last = number * songs // files, (number + 1) * songs // files
        query = SONGS.format(first=first, last=last, artists=max(1, songs // 4))
        path = folder / "song_data" / f"{number:07}.json"
        duckdb.sql(f"copy ({query}) to '{path}' (format json)")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--events", default=200_000, show_default=True, help="Number of events.")
@click.option("--songs", default=20_000, show_default=True, help="Songs in the catalog.")
@click.option("--days", default=30, show_default=True, help="Days, one file each.")
@click.option("--first-day", default=0, show_default=True, help="Number of the first day.")
@click.option("--song-files", default=10, show_default=True, help="Files of the catalog.")
def main(folder: Path, events: int, songs: int, days: int, first_day: int, song_files: int) -> None:
    """Write an input into FOLDER."""
    for day in range(first_day, first_day + days):
        write_day(folder, day, events // days, songs)
    if song_files:
        write_songs(folder, songs, song_files)


if __name__ == "__main__":
    main()
