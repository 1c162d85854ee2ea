"""The front page: the last complete week of the data against the week before."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

Week = dict[str, Any]  # a row of overview_by_week


@dataclass
class Card:
    """A question, its answer in a few words, and what else is worth knowing."""

    question: str
    answer: str
    more: list[str]


@dataclass
class Overview:
    """A week, and the questions that it answers."""

    period: str
    cards: list[Card]


def overview(weeks: list[Week]) -> Overview:
    """The front page: of the last complete week, or of the last one if none is complete."""
    if not weeks:
        return Overview("The star holds no plays yet.", [])
    complete = [number for number, week in enumerate(weeks) if week["day_count"] == 7]
    number = complete[-1] if complete else len(weeks) - 1
    week, before = weeks[number], weeks[number - 1] if number else {}
    start: date = week["week_start"]
    covered = "the last complete week of the data"
    if not complete:
        covered = f"of which the data covers {counted(week['day_count'], 'day')}"
    return Overview(
        f"{as_day(start)} to {as_day(start + timedelta(6))} (UTC), {covered}",
        [
            *audience(week),
            growth(week, before),
            payment(week),
            Card(
                "Who leaves?",
                counted(week["lost_listener_count"], "listener"),
                [f"of {before.get('listener_count', 0):,} in the week before did not come back"],
            ),
        ],
    )


def audience(week: Week) -> list[Card]:
    """Who listened, how much and to what."""
    listeners, plays = week["listener_count"], week["play_count"]
    return [
        Card("How many listen?", counted(listeners, "listener"), ["users with at least one play"]),
        Card("How much?", counted(plays, "play"), [f"{share(plays, listeners):.1f} per listener"]),
        Card(
            "What?",
            week["top_artist_name"] or "Nothing",
            ["is the most played artist", f"Most played song: {week['top_song_title'] or 'none'}"],
        ),
    ]


def payment(week: Week) -> Card:
    """How much of the week was paid."""
    listeners = share(week["paid_listener_count"], week["listener_count"])
    plays = share(week["paid_play_count"], week["play_count"])
    more = [f"{plays:.0%} of the plays are paid"]
    return Card("Who pays?", f"{listeners:.0%} of the listeners", more)


def growth(week: Week, before: Week) -> Card:
    """How the week compares with the week before, if the data covers both."""
    question, covered = "Is it growing?", before.get("day_count", 0)
    reason = ""
    if week["day_count"] < 7:
        reason = f"The data covers {counted(week['day_count'], 'day')} of the week."
    elif covered < 7:
        reason = f"The data covers {counted(covered, 'day')} of the week before."
    elif not before["play_count"]:
        reason = "The week before has no plays."
    if reason:
        return Card(question, "Not known yet", [reason])
    listeners, plays = (
        f"{week[column] / before[column] - 1:+.0%} {name}"
        for name, column in (("listeners", "listener_count"), ("plays", "play_count"))
    )
    more = f"{before['listener_count']:,} and {before['play_count']:,} in the week before"
    return Card(question, listeners, [plays, more])


def as_day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
