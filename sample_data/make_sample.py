"""Write the sample input: ten days of events and a small song catalog, all made up.

    python sample_data/make_sample.py [TARGET_FOLDER]

The files have the layout, formatting and quirks of the real input. The random numbers are seeded
and no clock is read, so every run writes the same bytes. The tables below plant the quirks;
README.md beside this file says where to see each.
"""

import argparse
import gzip
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

SEED = 20181028
FIRST_DAY = date(2018, 10, 28)
DAYS = 10
GZIPPED_FROM = date(2018, 11, 3)

# Monday to Sunday, and hours 0 to 23 UTC: people listen on weekdays, in the afternoon.
VISITS_BY_WEEKDAY = (18, 19, 20, 19, 18, 12, 11)
VISITS_BY_HOUR = (2, 2, 1, 1, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 12, 10, 8, 6, 4, 3, 2)
MEAN_ITEMS, MOST_ITEMS = 26, 53  # before the pages that end a visit or change a level
SHARE_OF_PLAYS = (20, 15, 65)  # in the catalog; others by its artists; by other artists


class User(NamedTuple):
    """A listener; `level` is the initial one."""

    user_id: int
    first_name: str
    last_name: str
    gender: str
    level: str
    location: str
    agent: int


class Song(NamedTuple):
    """One object of the song catalog; durations in seconds, year 0 if unknown."""

    song_id: str
    title: str
    artist_id: str
    artist_name: str | int
    duration: float
    year: int = 0
    location: str | int = ""
    latitude: float | None = None
    longitude: float | None = None


class Play(NamedTuple):
    """What a NextSong event says about the song heard; its length in seconds."""

    artist: str | None
    song: str | None
    length: float | None


class Visit(NamedTuple):
    """One user's session: pages and plays in order. Anonymous until its Login, if it has one."""

    session_id: int
    user_id: int | None
    start: str
    steps: list[str | Play]


# --- Users ---------------------------------------------------------------------------------------

AGENTS = (  # as in the real logs, those with a comma in them carry a pair of double quotes
    '"Mozilla/5.0 (Windows NT 6.1) (KHTML, like Gecko) Chrome/36.0.1985.143"',
    '"Mozilla/5.0 (Macintosh) (KHTML, like Gecko) Version/7.0.6 Safari/537.78"',
    '"Mozilla/5.0 (X11; Linux x86_64) (KHTML, like Gecko) Chromium/36.0.1985.125"',
    '"Mozilla/5.0 (iPhone) (KHTML, like Gecko) Version/7.0 Mobile Safari/9537.53"',
    "Mozilla/5.0 (Windows NT 6.1; rv:31.0) Firefox/31.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:31.0) Firefox/31.0",
)
USERS = (
    User(2, "Ada", "Example", "F", "free", "Lansing-East Lansing, MI", 0),
    User(3, "Test", "Person", "M", "free", "New York-Newark-Jersey City, NY-NJ-PA", 1),
    User(4, "Sample", "Listener", "F", "paid", "Chicago-Naperville-Elgin, IL-IN-WI", 2),
    User(5, "Demo", "Account", "M", "free", "San Francisco-Oakland-Hayward, CA", 3),
    User(7, "User", "Seventeen", "M", "free", "Portland-South Portland, ME", 4),
    User(8, "Trial", "Period", "F", "free", "Atlanta-Sandy Springs-Roswell, GA", 5),
    User(10, "Jane", "Placeholder", "F", "paid", "Boston-Cambridge-Newton, MA-NH", 0),
    User(11, "John", "Placeholder", "M", "free", "Boston-Cambridge-Newton, MA-NH", 1),
    User(12, "Mock", "Object", "M", "free", "Phoenix-Mesa-Scottsdale, AZ", 2),
    User(14, "Stub", "Method", "F", "free", "Waterloo-Cedar Falls, IA", 3),
    User(15, "Dummy", "Variable", "M", "paid", "Houston-The Woodlands-Sugar Land, TX", 0),
    User(16, "Lorem", "Ipsum", "F", "free", "New York-Newark-Jersey City, NY-NJ-PA", 4),
    User(19, "Dolor", "Amet", "F", "free", "Chicago-Naperville-Elgin, IL-IN-WI", 1),
    User(20, "Foo", "Barson", "M", "paid", "San Francisco-Oakland-Hayward, CA", 2),
    User(23, "Baz", "Quxley", "F", "free", "Lansing-East Lansing, MI", 0),
    User(24, "Fixture", "Factory", "M", "free", "Atlanta-Sandy Springs-Roswell, GA", 3),
    User(29, "Zoë", "Ünïcode", "F", "paid", "New York-Newark-Jersey City, NY-NJ-PA", 1),
    User(33, "José", "De Prueba", "M", "free", "Houston-The Woodlands-Sugar Land, TX", 0),
    User(36, "Alpha", "Tester", "F", "paid", "Waterloo-Cedar Falls, IA", 2),
    User(38, "Beta", "Tester", "F", "free", "Portland-South Portland, ME", 5),
    User(42, "Gamma", "Tester", "M", "paid", "Phoenix-Mesa-Scottsdale, AZ", 0),
    User(47, "Null", "Pointer", "M", "free", "Chicago-Naperville-Elgin, IL-IN-WI", 1),
    User(50, "Guest", "O'Example", "F", "free", "Boston-Cambridge-Newton, MA-NH", 2),
    User(61, "Anne", "Onymous", "F", "free", "San Francisco-Oakland-Hayward, CA", 3),
    User(73, "Specimen", "Signature", "F", "paid", "Lansing-East Lansing, MI", 4),
    User(80, "Control", "Group", "M", "paid", "New York-Newark-Jersey City, NY-NJ-PA", 0),
    User(88, "Case", "Study", "F", "free", "Atlanta-Sandy Springs-Roswell, GA", 1),
    User(95, "Proto", "Type", "M", "free", "Phoenix-Mesa-Scottsdale, AZ", 0),
    User(100, "Regular", "Customer", "M", "paid", "Chicago-Naperville-Elgin, IL-IN-WI", 2),
    User(101, "Last", "Entry", "F", "free", "Houston-The Woodlands-Sugar Land, TX", 3),
)
# In the user's first visit from that day on; other users keep their level.
LEVEL_CHANGES = {
    8: (date(2018, 10, 31), "Upgrade"),
    61: (date(2018, 11, 2), "Upgrade"),
    10: (date(2018, 11, 1), "Downgrade"),
}

# --- Songs: the odd ones by hand, the rest from words --------------------------------------------
# Ids are padded with zeros when written: SOTWICE becomes SOTWICE00000000000.
BAND, CHOIR = ("ARBAND", "The Placeholder Band"), ("ARCHOIR", "Ünïcode Choir")
KETTLES, MARKS = ("ARKETTLES", "The Imaginary Kettles"), ("ARMARKS", "Marginal Marks")
BAND_SONGS = (  # one artist_id under three names; not every song has location and coordinates
    Song("SOBANDA", "Song Number Nine", *BAND, 201.29, 2004),
    Song("SOBANDB", "It's Only A Test", *BAND, 187.45, 2006, "Lansing, MI", 42.73, -84.55),
    Song("SOBANDC", "To Be Announced", *BAND, 242.11, 2006, "Michigan"),
    Song("SOBANDD", "Name Pending", "ARBAND", "Placeholder Band", 259.3, 2008),
    Song("SOBANDE", "Insert Title Here", "ARBAND", "The Placeholder Band.", 175.67),
)
ECHO_SONGS = (  # one name with two artist_ids; the second has more songs
    Song("SOECHOA", "Is This On", "ARECHOA", "Echo Sample", 233.01, 1999, "Boston, MA"),
    Song("SOECHOB", "Check One", "ARECHOB", "Echo Sample", 150.33, 2011),
    Song("SOECHOC", "Check Two", "ARECHOB", "Echo Sample", 152.09, 2011),
    Song("SOECHOD", "One Two Three", "ARECHOB", "Echo Sample", 149.87, 2012),
)
CHOIR_SONGS = (
    Song("SOCHOIRA", "Élan d'Échantillon", *CHOIR, 221.7, 2010, "Ærøskøbing, Denmark", 54.9, 10.4),
    Song("SOCHOIRB", "Żółta Próbka", *CHOIR, 190.8, 2013),
    Song("SOCHOIRC", "見本の歌", *CHOIR, 205.6),
)
MARK_SONGS = (
    Song("SOSLASH", "Input / Output", *MARKS, 264.3, 2009),
    Song("SOEMOJI", "Headphones 🎧", *MARKS, 155.4, 2017),
    Song("SOQUOTES", 'The "Quoted" Song', *MARKS, 240.6, 2009),
)
TWICE = Song("SOTWICE", "Twice Told", "ARSIGNAL", "Señal de Prueba", 215.22, 1995)
NO_BREAK_SPACE = "\u00a0"
ONE_EACH = (
    TWICE,
    TWICE,
    Song("SOTAKESA", "Two Takes", *KETTLES, 300.5, 1987),
    Song("SOTAKESB", "Two Takes", *KETTLES, 200.5, 1987),
    Song("SONUMBERA", "Not Found", "ARNUMBER", 404, 194.04, 2001, 27, 1.32, 103.79),
    Song("SONUMBERB", "Found", "ARNUMBER", 404, 200.02, 2002, 27, 1.32, 103.79),
    Song("SONOBREAK", f"Holding Room{NO_BREAK_SPACE}", *MARKS, 212.5, 2007),
    Song("SOTRAILING", "Open Bracket ", *MARKS, 178.9, 2007),
)
# File (its name's third to fifth letters are its folders), how it is written, what it holds.
SONG_FILES = (
    ("TRAAAROW", "in a row", BAND_SONGS),
    ("TRAABPRETTY", "pretty", ECHO_SONGS + CHOIR_SONGS),
    ("TRAACGZIP", "gzip", MARK_SONGS),
    *((f"TRABAODD{n}", "single", (song,)) for n, song in enumerate(ONE_EACH, start=1)),
)

ADJECTIVES = ("Fictional", "Notional", "Nominal", "Provisional", "Hypothetical", "Approximate")
NOUNS = ("Ladders", "Umbrellas", "Postmen", "Teapots", "Lanterns", "Bicycles", "Accountants")
CATALOG_FORMS = ("Song", "Waltz", "Ballad", "Lullaby", "March", "Reel")
UNLISTED_FORMS = ("Etude", "Hymn", "Sketch", "Rag", "Anthem", "Serenade", "Jingle", "Prelude")
PLACES = (
    ("", None, None),
    ("", None, None),
    ("California - LA", None, None),
    ("Oakland, CA", 37.80506, -122.27302),
    ("Portland, ME", 43.65932, -70.25681),
    ("London, England", 51.50632, -0.12714),
)
CATALOG_ARTISTS, GENERATED_SONGS, UNLISTED_SONGS = 20, 75, 260

# --- Visits by hand ------------------------------------------------------------------------------

KETTLE_TAKE = Play("The Imaginary Kettles", "Two Takes", None)
UNLISTED_CASES = ("Left Off The List", "LEFT OFF THE LIST", "left off the list")
VISITS = (
    Visit(
        *(11, 2, "2018-10-31T15:00:00.796Z"),
        [
            *("Home", "Login", "Home"),
            KETTLE_TAKE._replace(length=200.5),
            KETTLE_TAKE._replace(length=300.5),
            KETTLE_TAKE._replace(length=240.0),  # nearer to the short one
            KETTLE_TAKE._replace(length=250.5),  # as near to both
            KETTLE_TAKE,
            Play("THE PLACEHOLDER BAND", "song number nine", 201.29),
            Play("ÜNÏCODE CHOIR", "ÉLAN D'ÉCHANTILLON", 221.7),
            Play("404", "Not Found", 194.04),
            Play("Marginal Marks", f"Holding Room{NO_BREAK_SPACE}", 212.5),
            Play("Marginal Marks", "Holding Room", 212.5),  # another song than the one before
            Play("Marginal Marks", "Open Bracket", 178.9),
            Play("Marginal Marks ", " Input / Output", 264.3),
            Play("Marginal Marks", "Headphones 🎧", 155.4),
            Play("Placeholder Band", "Name Pending", 259.3),
            Play("Placeholder Band", "Song Number Nine", 201.29),  # not under this spelling
            Play("Echo Sample", "Check Seventeen", 151.2),  # the artist_id with more songs
            *(Play("The Absentees", title, 180.5) for title in UNLISTED_CASES),
            Play("The Absentees", UNLISTED_CASES[0], 179.25),  # the shortest length of that song
            Play("The Absentees", UNLISTED_CASES[0], None),
            Play("The Placeholder Band", None, 201.29),
            Play(None, "Song Number Nine", 201.29),
            Play(None, None, 61.5),
            "Logout",
            "Home",
        ],
    ),
    Visit(
        *(12, 95, "2018-10-30T16:20:05.796Z"),
        ["Home", Play("Echo Sample", "Check One", 150.33), "Upgrade", "Submit Upgrade", "Home"],
    ),
    Visit(  # another user; the rest of what identifies an event is equal
        *(12, 101, "2018-10-30T16:20:05.796Z"),
        [Play("Señal de Prueba", "Twice Told", 215.22), "Settings", "Save Settings", "Home"],
    ),
    Visit(13, None, "2018-11-02T09:30:00.796Z", ["Home", "About", "Help", "Home"]),
)
# An event, by session and item, and the days whose files repeat it.
DOUBLED, DOUBLED_IN = (11, 3), (date(2018, 10, 31), date(2018, 11, 2))
# The last events of one day are in the file of a later day.
LATE_FROM, LATE_TO, LATE_COUNT = date(2018, 10, 29), date(2018, 11, 1), 6

REDIRECTS = ("Login", "Logout", "Save Settings", "Submit Upgrade", "Submit Downgrade")
PAGES = {"NextSong": ("PUT", 200), "Error": ("GET", 404)} | dict.fromkeys(REDIRECTS, ("PUT", 307))
SAVE = ("Settings", "Save Settings", "Home")
ASIDES = ((), ("Home",), SAVE, ("Settings",), ("Help",), ("About",), ("Error",), ("level",))
ASIDES_PER_THOUSAND = (892, 36, 18, 18, 18, 4, 4, 10)  # after a play; "level": Upgrade or Downgrade


def made_up_songs(rng: random.Random) -> tuple[list[Song], list[Play]]:
    """The catalog's ordinary songs, and songs that are played but not in it."""

    def random_id(prefix: str) -> str:
        return prefix + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=16))

    def titles(forms: tuple[str, ...], count: int) -> list[str]:
        return rng.choices([f"{form} Number {n}" for form in forms for n in range(1, 20)], k=count)

    names = [f"The {adjective} {noun}" for adjective in ADJECTIVES for noun in NOUNS]
    rng.shuffle(names)
    artists = [(random_id("AR"), name, rng.choice(PLACES)) for name in names[:CATALOG_ARTISTS]]
    songs = {}
    for title in titles(CATALOG_FORMS, GENERATED_SONGS):
        artist_id, name, place = rng.choice(artists)
        year = rng.choice((0, 0, rng.randint(1965, 2018)))
        duration = round(rng.uniform(95, 390), 5)
        songs[title, name] = Song(random_id("SO"), title, artist_id, name, duration, year, *place)
    unlisted = {}
    for number, title in enumerate(titles(UNLISTED_FORMS, UNLISTED_SONGS)):
        name = names[number % len(names)]
        unlisted[title, name] = Play(name, title, round(rng.uniform(95, 390), 5))
    return list(songs.values()), list(unlisted.values())


def steps_at_random(rng: random.Random, pools: list[list[Play]], change: str):
    """The steps of one visit; `change` is Upgrade, Downgrade or empty."""
    size = 1 + int(rng.expovariate(1 / MEAN_ITEMS)) % MOST_ITEMS
    openings = (["Home", "Login", "Home"], ["Home"], [])
    steps: list[str | Play] = list(rng.choices(openings, (12, 35, 53))[0])
    while len(steps) < size:
        pool = rng.choices(pools, SHARE_OF_PLAYS)[0]
        steps.append(pool[int(len(pool) * rng.random() ** 2)])  # the square makes some songs hits
        steps += rng.choices(ASIDES, ASIDES_PER_THOUSAND)[0]
    if change:
        steps[3:3] = [change, f"Submit {change}", "Home"]
    if rng.random() < 0.1:
        steps += ["Logout"]
    return steps


def visits_at_random(rng: random.Random, pools: list[list[Play]]) -> list[Visit]:
    """The ten days' visits, at most one a day for each user."""
    by_hand = {visit.user_id for visit in VISITS}
    users = [user.user_id for user in USERS if user.user_id not in by_hand]
    changes = dict(LEVEL_CHANGES)
    visits = []
    for day in (FIRST_DAY + timedelta(n) for n in range(DAYS)):
        hours = rng.choices(range(24), VISITS_BY_HOUR, k=VISITS_BY_WEEKDAY[day.weekday()])
        for hour, user_id in zip(sorted(hours), rng.sample(users, len(hours)), strict=True):
            due, change = changes.get(user_id, (date.max, ""))
            if due <= day:
                del changes[user_id]
            start = f"{day}T{hour:02}:{rng.randrange(60):02}:{rng.randrange(60):02}.796Z"
            steps = steps_at_random(rng, pools, change if due <= day else "")
            visits.append(Visit(100 + len(visits), user_id, start, steps))
    return visits


def record(visit: Visit, users: dict[int, User], levels: dict[int, str], rng: random.Random):
    """Yield the events of one visit, and update `levels`, each user's current level."""
    user = users.get(visit.user_id)
    known = user is not None and "Login" not in visit.steps
    ts = round(datetime.fromisoformat(visit.start).timestamp() * 1000)
    registered = 1_540_700_000_796.0 - 37_123_000 * (visit.user_id or 0)  # a float in the real logs
    for item, step in enumerate(visit.steps):
        play = step if isinstance(step, Play) else Play(None, None, None)
        level = levels[user.user_id] if user else "free"
        page = step if isinstance(step, str) else "NextSong"
        if page == "level":
            page = "Upgrade" if level == "free" else "Downgrade"
        method, status = PAGES.get(page, ("GET", 200))
        yield {
            **play._asdict(),
            "auth": "Logged In" if known else "Logged Out",
            "firstName": user.first_name if known else None,
            "gender": user.gender if known else None,
            "itemInSession": item,
            "lastName": user.last_name if known else None,
            "level": level,
            "location": user.location if known else None,
            "method": method,
            "page": page,
            "registration": registered if known else None,
            "sessionId": visit.session_id,
            "status": status,
            "ts": ts,
            "userAgent": AGENTS[user.agent] if known else None,
            "userId": str(user.user_id) if known else "",
        }
        if page == "NextSong":
            ts += 1000 * int(play.length or 180)
        elif page not in REDIRECTS:  # these redirect within the same millisecond
            ts += 1000 * rng.randint(2, 90)
        if page in ("Login", "Logout"):
            known = page == "Login"
        if page.startswith("Submit"):
            levels[user.user_id] = "paid" if page == "Submit Upgrade" else "free"


def file_by_day(events: list[dict]) -> dict[date, list[dict]]:
    """The events of each day's file, including late and repeated ones."""
    files: dict[date, list[dict]] = {FIRST_DAY + timedelta(n): [] for n in range(DAYS)}
    for event in sorted(events, key=lambda event: event["ts"]):
        day = datetime.fromtimestamp(event["ts"] / 1000, UTC).date()
        if day in files:  # a visit may outlast the last day
            files[day].append(event)
    files[LATE_TO] = files[LATE_FROM][-LATE_COUNT:] + files[LATE_TO]
    del files[LATE_FROM][-LATE_COUNT:]
    doubled = next(e for e in events if (e["sessionId"], e["itemInSession"]) == DOUBLED)
    for day in DOUBLED_IN:
        before = files[day].index(doubled) if doubled in files[day] else len(files[day]) // 2
        files[day].insert(before, doubled)
    return files


def as_json(row: dict, *, pretty: bool = False) -> str:
    """One object as the real files write it: keys sorted, slashes escaped, ASCII unless pretty."""
    layout = {"indent": 4} if pretty else {"separators": (",", ":")}
    return json.dumps(row, sort_keys=True, ensure_ascii=not pretty, **layout).replace("/", r"\/")


def song_object(song: Song) -> dict:
    """A song with the keys of the real files."""
    row = song._asdict() | {
        "song_id": song.song_id.ljust(18, "0"),
        "artist_id": song.artist_id.ljust(18, "0"),
        "num_songs": 1,
    }
    return {f"artist_{k}" if k in ("latitude", "longitude", "location") else k: row[k] for k in row}


def write(path: Path, text: str) -> None:
    """Write a file, with gzip if it is called .gz; no name or time is stored in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
                zipped.write(text.encode())
        else:
            file.write(text.encode())


def write_songs(folder: Path, songs: list[Song], rng: random.Random) -> None:
    """Write the songs of SONG_FILES as described there, each of the others into its own file."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    names = ["TRA" + "".join(rng.choices("BC", k=2) + rng.choices(letters, k=13)) for _ in songs]
    ordinary = [(name, "single", (song,)) for name, song in zip(names, songs, strict=True)]
    for name, form, content in (*SONG_FILES, *ordinary):
        pretty = form == "pretty"
        objects = [as_json(song_object(song), pretty=pretty) for song in content]
        file = name.ljust(18, "0") + (".json.gz" if form == "gzip" else ".json")
        write(folder.joinpath(*name[2:5], file), ("\n" if pretty else "").join(objects))


def write_events(folder: Path, files: dict[date, list[dict]]) -> None:
    """Write one file of JSON lines a day."""
    for day, events in files.items():
        file = f"{day:%Y/%m}/{day}-events.json" + (".gz" if day >= GZIPPED_FROM else "")
        write(folder / file, "\n".join(as_json(event) for event in events))


def main() -> None:
    """Make the sample in the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", nargs="?", type=Path, default=Path(__file__).parent)
    target = parser.parse_args().target

    rng = random.Random(SEED)
    songs, unlisted = made_up_songs(rng)
    known_names = {song.artist_name for song in songs}
    catalog = [song for _, _, content in SONG_FILES for song in content] + songs
    rng.shuffle(catalog)
    pools = [
        [Play(str(song.artist_name), song.title, song.duration) for song in catalog],
        [play for play in unlisted if play.artist in known_names],
        [play for play in unlisted if play.artist not in known_names],
    ]
    users = {user.user_id: user for user in USERS}
    levels = {user.user_id: user.level for user in USERS}
    visits = [*VISITS, *visits_at_random(rng, pools)]
    events = [event for visit in visits for event in record(visit, users, levels, rng)]

    write_songs(target / "song_data", songs, rng)
    write_events(target / "log_data", file_by_day(events))


if __name__ == "__main__":
    main()
