"""What the marts around the star must hold, computed a second time in plain Python.

Like expected_star, it shares nothing with the project's SQL and seeds: the regions of the states
and the patterns of user agents are written down here once more.

The rules, in short:

- A session belongs to one user, from the first to the last event, on any page.
- A user has a level from the event that first shows it until the event that first shows another.
  Of events at the same moment the last by session and item counts.
- A location is a metro area and its states; the first state determines the region.
- What a user agent does not reveal is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, pairwise

from .expected_star import (
    Event,
    Load,
    Row,
    from_milliseconds,
    grouped,
    latest_event,
    md5,
    one_per_event,
    plays_among,
    read_as_written,
    read_events,
    sorted_by,
    to_text,
    without_quotes,
)

DIVISIONS = {
    ("Northeast", "New England"): "CT ME MA NH RI VT",
    ("Northeast", "Middle Atlantic"): "NJ NY PA",
    ("Midwest", "East North Central"): "IL IN MI OH WI",
    ("Midwest", "West North Central"): "IA KS MN MO NE ND SD",
    ("South", "South Atlantic"): "DE DC FL GA MD NC SC VA WV",
    ("South", "East South Central"): "AL KY MS TN",
    ("South", "West South Central"): "AR LA OK TX",
    ("West", "Mountain"): "AZ CO ID MT NV NM UT WY",
    ("West", "Pacific"): "AK CA HI OR WA",
    ("Puerto Rico", "Puerto Rico"): "PR",
}
CENSUS = {state: place for place, states in DIVISIONS.items() for state in states.split()}
METRO_AREA = re.compile(r" *([^,]+), (([A-Z]{2})(-[A-Z]{2})*) *")

# The first match counts; its group is the version.
BROWSERS = (
    (r"Edge?/([^ ;)]+)", "Edge"),
    (r"OPR/([^ ;)]+)", "Opera"),
    (r"Chromium/([^ ;)]+)", "Chromium"),
    (r"(?:Chrome|CriOS)/([^ ;)]+)", "Chrome"),
    (r"(?:Firefox|FxiOS)/([^ ;)]+)", "Firefox"),
    (r"MSIE ([^ ;)]+)", "Internet Explorer"),
    (r"Trident/.*rv:([^ ;)]+)", "Internet Explorer"),
    (r"Version/([^ ;)]+).* Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone|iPad|iPod", "iOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
PHONE = re.compile(r"Mobile")
TABLET = re.compile(r"iPad|Tablet|Android(?!.*Mobile)")


def expected_marts(loads: list[Load]) -> dict[str, list[Row]]:
    """The marts around the star after these loads, given in order of time: rows sorted by key."""
    events = one_per_event(read_events(loads))
    return {
        "fct_sessions": sorted_by("user_session_id", fct_sessions(events)),
        "dim_user_levels": sorted_by("user_level_id", dim_user_levels(events)),
        "dim_locations": sorted_by("location", dim_locations(texts(loads, "location"))),
        "dim_user_agents": sorted_by("user_agent", dim_user_agents(texts(loads, "userAgent"))),
    }


def texts(loads: list[Load], name: str) -> set[str]:
    """The values of a key in all events, also of logged-out users, without a pair of quotes."""
    logged = (
        without_quotes(to_text(event.get(name)))
        for load in loads
        for path in load.events
        for event in read_as_written(path)
    )
    return set(logged) - {None}


def fct_sessions(events: list[Event]) -> Iterator[Row]:
    plays_of_session = grouped(plays_among(events), lambda e: (e.user_id, e.session_id))
    sessions = grouped(events, lambda e: (e.user_id, e.session_id))
    for session, logged in sessions.items():
        logged.sort(key=lambda e: (e.ts, e.item_in_session))
        pages = {event.page for event in logged}
        played = plays_of_session.get(session, [])
        yield {
            "user_session_id": md5("|".join(str(part) for part in session)),
            "user_id": session[0],
            "session_id": session[1],
            "start_time": logged[0].start_time,
            "end_time": logged[-1].start_time,
            "duration_seconds": (logged[-1].ts - logged[0].ts) / 1000,
            "play_count": len(played),
            "song_count": len({play.song_key for play in played}),
            "artist_count": len({play.artist_key for play in played}),
            "start_level": logged[0].level,
            "end_level": logged[-1].level,
            "has_upgrade": "Submit Upgrade" in pages,
            "has_downgrade": "Submit Downgrade" in pages,
            "has_error": "Error" in pages,
            "has_logout": "Logout" in pages,
        }


def dim_user_levels(events: list[Event]) -> Iterator[Row]:
    for user_id, events_of_user in grouped(events, lambda e: e.user_id).items():
        by_moment = grouped(events_of_user, lambda e: e.ts)
        moments = [(ts, latest_event(by_moment[ts]).level) for ts in sorted(by_moment)]
        starts = [next(period) for _, period in groupby(moments, key=lambda moment: moment[1])]
        for (ts, level), (next_ts, _) in pairwise([*starts, (None, None)]):
            yield {
                "user_level_id": md5(f"{user_id}|{ts}"),
                "user_id": user_id,
                "level": level,
                "valid_from": from_milliseconds(ts),
                "valid_to": None if next_ts is None else from_milliseconds(next_ts),
                "is_current": next_ts is None,
            }


def dim_locations(locations: set[str]) -> Iterator[Row]:
    for location in locations:
        match = METRO_AREA.fullmatch(location)
        is_recognized = match is not None and match[3] in CENSUS
        region, division = CENSUS[match[3]] if is_recognized else (None, None)
        yield {
            "location": location,
            "metro_area": match[1] if is_recognized else None,
            "state_codes": match[2] if is_recognized else None,
            "state_code": match[3] if is_recognized else None,
            "region": region,
            "division": division,
            "is_recognized": is_recognized,
        }


def dim_user_agents(user_agents: set[str]) -> Iterator[Row]:
    for user_agent in user_agents:
        found = ((re.search(pattern, user_agent), name) for pattern, name in BROWSERS)
        version, browser = next(((m[1], name) for m, name in found if m), (None, None))
        system = next((name for pattern, name in SYSTEMS if re.search(pattern, user_agent)), None)
        yield {
            "user_agent": user_agent,
            "browser": browser,
            "browser_version": version,
            "operating_system": system,
            "device_class": device_class(user_agent, system),
            "is_recognized": browser is not None and system is not None,
        }


def device_class(user_agent: str, system: str | None) -> str | None:
    if TABLET.search(user_agent):
        return "tablet"
    if PHONE.search(user_agent):
        return "phone"
    return "desktop" if system else None
