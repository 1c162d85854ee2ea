"""What the analyses must answer, computed a second time in plain Python.

The input is the rows that expected_star and expected_marts compute from the JSON files: no SQL is
involved. Each function has the name of a file in analyses/ and returns its rows in their order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import mean, median
from typing import Any

from .expected_star import Row

Rows = list[tuple[Any, ...]]
DAY = timedelta(days=1)


class Star:
    """The marts, with ways to look things up in them."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        self.plays = tables["fct_songplays"]
        self.last_day = max(play["start_time"] for play in self.plays).date()
        self.sessions = tables["fct_sessions"]
        self.user_levels = tables["dim_user_levels"]
        self.users = {row["user_id"]: row for row in tables["dim_users"]}
        self.songs = {row["song_id"]: row for row in tables["dim_songs"]}
        self.artists = {row["artist_id"]: row for row in tables["dim_artists"]}
        self.locations = {row["location"]: row for row in tables["dim_locations"]}
        self.user_agents = {row["user_agent"]: row for row in tables["dim_user_agents"]}

    def title(self, song_id: str) -> str:
        return self.songs[song_id]["title"]

    def artist_name(self, artist_id: str) -> str:
        return self.artists[artist_id]["name"]

    def region(self, play: Row) -> str:
        return self.locations.get(play["location"], {}).get("region") or "Unknown"

    def listeners(self, plays: Iterable[Row]) -> int:
        return len({play["user_id"] for play in plays})

    def days_ago(self, days: int) -> datetime:
        """The midnight that begins the day this many days before the last play's."""
        return datetime.combine(self.last_day, datetime.min.time()) - days * DAY

    def upgrades_and_downgrades(self) -> list[tuple[Row, Row]]:
        """The periods before and after each change of level, by user and time."""
        periods = sorted(self.user_levels, key=lambda row: (row["user_id"], row["valid_from"]))
        return [
            (before, after)
            for before, after in pairwise(periods)
            if before["user_id"] == after["user_id"]
            and {before["level"], after["level"]} == {"free", "paid"}
        ]


def monday(day: date) -> date:
    """The first day of the ISO week."""
    return day - day.weekday() * DAY


def week_of(moment: datetime) -> date:
    return monday(moment.date())


def by(key: Callable[[Row], Any], rows: Iterable[Row]) -> dict[Any, list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def first_of_each(
    key: Callable[[Row], Any], item: str, rows: Iterable[Row], number: int
) -> list[tuple[Any, int, str, int]]:
    """The items with the most rows in each group, ties by item: group, rank, item, count."""
    return [
        (group, rank, ranked, count)
        for group, members in sorted(by(key, rows).items())
        for rank, (ranked, count) in enumerate(
            most(Counter(row[item] for row in members))[:number], start=1
        )
    ]


def most(counts: Counter) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def most_played_songs(star: Star) -> Rows:
    ranked = sorted(
        (-len(plays), -star.listeners(plays), song_id, plays[0]["artist_id"])
        for song_id, plays in by(lambda play: play["song_id"], star.plays).items()
    )
    return [
        (star.title(song_id), star.artist_name(artist_id), -plays, -listeners)
        for plays, listeners, song_id, artist_id in ranked[:20]
    ]


def most_played_artists(star: Star) -> Rows:
    ranked = sorted(
        (-len(plays), -star.listeners(plays), artist_id, len({play["song_id"] for play in plays}))
        for artist_id, plays in by(lambda play: play["artist_id"], star.plays).items()
    )
    return [
        (star.artist_name(artist_id), -plays, songs, -listeners)
        for plays, listeners, artist_id, songs in ranked[:20]
    ]


def most_played_songs_by_week(star: Star) -> Rows:
    ranked = first_of_each(lambda play: week_of(play["start_time"]), "song_id", star.plays, 5)
    return [(week, rank, star.title(song), plays) for week, rank, song, plays in ranked]


def most_played_artists_by_region(star: Star) -> Rows:
    ranked = first_of_each(star.region, "artist_id", star.plays, 5)
    return [(region, rank, star.artist_name(each), plays) for region, rank, each, plays in ranked]


def most_played_songs_by_level(star: Star) -> Rows:
    plays = [play for play in star.plays if play["level"]]
    ranked = first_of_each(lambda play: play["level"], "song_id", plays, 10)
    return [(level, rank, star.title(song), plays) for level, rank, song, plays in ranked]


def most_played_songs_of_paid_users_in_the_west(star: Star) -> Rows:
    counts = Counter(
        (play["song_id"], play["artist_id"])
        for play in star.plays
        if play["level"] == "paid"
        and star.region(play) == "West"
        and play["start_time"] >= star.days_ago(6)
    )
    return [
        (star.title(song_id), star.artist_name(artist_id), plays)
        for (song_id, artist_id), plays in most(counts)[:10]
    ]


def plays_by_weekday_and_hour(star: Star) -> Rows:
    plays = Counter(play["start_hour"] for play in star.plays)
    hour, last, slots = min(plays), max(plays), defaultdict(list)
    while hour <= last:
        slots[hour.isoweekday() % 7, hour.hour].append(plays[hour])
        hour += timedelta(hours=1)
    return [(*slot, sum(counts), mean(counts)) for slot, counts in sorted(slots.items())]


def listeners_by_day(star: Star) -> Rows:
    days = by(lambda play: play["start_time"].date(), star.plays)
    return [
        (day, star.listeners(plays), len(plays), sum(play["level"] == "paid" for play in plays))
        for day, plays in sorted(days.items())
    ]


def level_changes_by_week(star: Star) -> Rows:
    changes = by(
        lambda after: week_of(after["valid_from"]),
        (after for _, after in star.upgrades_and_downgrades()),
    )
    return [
        (week, *(sum(after["level"] == level for after in each) for level in ("paid", "free")))
        for week, each in sorted(changes.items())
    ]


def time_to_first_upgrade(star: Star) -> Rows:
    first_seen = {
        user: min(row["valid_from"] for row in rows)
        for user, rows in by(lambda row: row["user_id"], star.user_levels).items()
    }
    upgraded: dict[int, datetime] = {}
    for _, after in star.upgrades_and_downgrades():
        if after["level"] == "paid":
            upgraded.setdefault(after["user_id"], after["valid_from"])
    plays = by(lambda play: play["user_id"], star.plays)
    return [
        (
            user,
            moment,
            (moment.date() - first_seen[user].date()).days,
            sum(play["start_time"] < moment for play in plays[user]),
        )
        for moment, user in sorted((moment, user) for user, moment in upgraded.items())
    ]


def retention_by_weekly_cohort(star: Star) -> Rows:
    weeks = {
        user: {week_of(play["start_time"]) for play in plays}
        for user, plays in by(lambda play: play["user_id"], star.plays).items()
    }
    sizes = Counter(min(each) for each in weeks.values())
    listeners = Counter((min(each), week) for each in weeks.values() for week in each)
    return [
        (cohort, (week - cohort).days // 7, sizes[cohort], number, number / sizes[cohort])
        for (cohort, week), number in sorted(listeners.items())
    ]


def returning_listeners_by_level(star: Star) -> Rows:
    played = {(week_of(each["start_time"]), each["user_id"]) for each in star.plays}
    last = max(week for week, _ in played)
    groups = by(
        lambda play: (week_of(play["start_time"]), play["level"]),
        (play for play in star.plays if play["level"]),
    )
    rows = []
    for (week, level), plays in sorted(groups.items()):
        users = {play["user_id"] for play in plays}
        back = sum((week + timedelta(days=7), user) in played for user in users)
        if week < last:
            rows.append((week, level, len(users), back, back / len(users)))
    return rows


def session_length_by_level(star: Star) -> Rows:
    sessions = [session for session in star.sessions if session["start_level"]]
    rows = []
    for level, each in sorted(by(lambda session: session["start_level"], sessions).items()):
        seconds = [session["duration_seconds"] for session in each]
        plays = mean(session["play_count"] for session in each)
        rows.append((level, len(each), mean(seconds) / 60, median(seconds) / 60, plays))
    return rows


def sessions_with_errors(star: Star) -> Rows:
    groups = by(lambda row: "error" if row["has_error"] else "no error", star.sessions)
    return [
        (
            kind,
            len(each),
            mean(session["play_count"] for session in each),
            sum(session["has_logout"] for session in each),
        )
        for kind, each in sorted(groups.items())
    ]


def catalog_coverage_by_week(star: Star) -> Rows:
    weeks = by(lambda play: week_of(play["start_time"]), star.plays)
    return [
        (
            week,
            len(plays),
            sum(star.songs[play["song_id"]]["is_in_catalog"] for play in plays),
            sum(star.artists[play["artist_id"]]["is_in_catalog"] for play in plays),
        )
        for week, plays in sorted(weeks.items())
    ]


def artists_on_the_rise(star: Star) -> Rows:
    now, before = Counter(), Counter()
    for play in star.plays:
        if play["start_time"] >= star.days_ago(6):
            now[play["artist_id"]] += 1
        elif play["start_time"] >= star.days_ago(13):
            before[play["artist_id"]] += 1
    rising = sorted(
        (before[artist_id] - plays, -plays, artist_id)
        for artist_id, plays in now.items()
        if plays > before[artist_id]
    )
    return [
        (star.artist_name(artist_id), now[artist_id], before[artist_id], -loss)
        for loss, _, artist_id in rising[:20]
    ]


def listeners_lost(star: Star) -> Rows:
    lost = []
    for user, plays in by(lambda play: play["user_id"], star.plays).items():
        last = max(play["start_time"] for play in plays)
        if last < star.days_ago(6):
            lost.append((user, star.users[user]["level"], len(plays), last))
    return sorted(lost, key=lambda row: (-row[2], row[0]))


def plays_by_device(star: Star) -> Rows:
    def device(play: Row) -> tuple[str, ...]:
        known = star.user_agents.get(play["user_agent"], {})
        names = ("device_class", "operating_system", "browser")
        return tuple(known.get(name) or "Unknown" for name in names)

    rows = [
        (*names, len(plays), star.listeners(plays))
        for names, plays in by(device, star.plays).items()
    ]
    return sorted(rows, key=lambda row: (-row[3], row[:3]))


def overview_by_week(star: Star) -> Rows:
    weeks = by(lambda play: week_of(play["start_time"]), star.plays)
    first_day = min(play["start_time"] for play in star.plays).date()
    rows, week, before = [], monday(first_day), set()
    while week <= star.last_day:
        plays = weeks.get(week, [])
        paid = [play for play in plays if play["level"] == "paid"]
        days = sum(first_day <= week + number * DAY <= star.last_day for number in range(7))
        listeners = {play["user_id"] for play in plays}
        counts = (len(listeners), star.listeners(paid), len(before - listeners))
        artist, song = (
            most(Counter(play[item] for play in plays))[0][0] if plays else None
            for item in ("artist_id", "song_id")
        )
        names = (artist and star.artist_name(artist), song and star.title(song))
        rows.append((week, days, *counts, len(plays), len(paid), *names))
        week, before = week + 7 * DAY, listeners
    return rows


def device_classes_by_week(star: Star) -> Rows:
    def device_class(play: Row) -> str:
        return star.user_agents.get(play["user_agent"], {}).get("device_class") or "Unknown"

    return [
        (week, name, len(each), len(each) / len(plays))
        for week, plays in sorted(by(lambda play: week_of(play["start_time"]), star.plays).items())
        for name, each in sorted(by(device_class, plays).items())
    ]


def plays_per_listener_by_weekday(star: Star) -> Rows:
    plays = [play for play in star.plays if play["level"]]
    groups = by(lambda play: (play["start_time"].isoweekday() % 7, play["level"]), plays)
    rows = []
    for group, each in sorted(groups.items()):
        listener_days = {(play["user_id"], play["start_time"].date()) for play in each}
        rows.append((*group, len(listener_days), len(each), len(each) / len(listener_days)))
    return rows


def session_length_before_upgrade(star: Star) -> Rows:
    upgrades = [after for _, after in star.upgrades_and_downgrades() if after["level"] == "paid"]

    def kind(session: Row) -> str:
        is_before = any(
            upgrade["user_id"] == session["user_id"]
            and timedelta() <= upgrade["valid_from"] - session["start_time"] < 7 * DAY
            for upgrade in upgrades
        )
        return "before an upgrade" if is_before else "other"

    sessions = [session for session in star.sessions if session["start_level"] == "free"]
    rows = []
    for name, each in sorted(by(kind, sessions).items()):
        seconds = [session["duration_seconds"] for session in each]
        plays = mean(session["play_count"] for session in each)
        rows.append((name, len(each), mean(seconds) / 60, median(seconds) / 60, plays))
    return rows
