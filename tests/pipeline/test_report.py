"""The report: what a reader finds in it, on both engines and in a browser."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from report.answers import as_text
from report.overview import growth, overview

from . import expected_answers
from .browser import browser
from .conftest import ROOT, Project, clean_environment, event, input_files, song
from .expected_marts import expected_marts
from .expected_star import Load, expected_star

ANALYSES = {
    each["name"]: each
    for each in yaml.safe_load((ROOT / "analyses" / "_analyses.yml").read_text())["analyses"]
}
TIME = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC")
IMAGE = re.compile(r'"data:image/svg\+xml;base64,([^"]+)"')
HOSTILE = [
    "<script>document.title = 'owned'</script>",
    "</title></svg><svg onload=\"document.title = 'owned'\">",
    '"><img src=https://example.com/x onerror="document.title = \'owned\'">',
    "' + (datum.x = 1) + '",
    "{{ 7 * 7 }} {% for %} ${7 * 7}",
    "]]> &amp; &lt;b&gt; <!--",
    "__proto__",
    "null",
    "W" * 500,
]
SCHEMES = ("light", "dark")


class Tables(HTMLParser):
    """The cells of the tables on the page, by the question they follow."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.name, self.in_cell = "", False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h2", "h3"):
            self.name = dict(attrs).get("id") or ""
        elif tag == "tr":
            self.rows.setdefault(self.name, []).append([])
        elif tag == "td":
            self.rows[self.name][-1].append("")
        self.in_cell = tag == "td" or (self.in_cell and tag == "bdi")

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[self.name][-1][-1] += data


def write_report(project: Project) -> Path:
    """Writes the report of a project as `make report` does."""
    path = project.folder / "target" / "report.html"
    path.unlink(missing_ok=True)
    options = ["--project-dir", str(project.folder), "--target", project.target]
    run = subprocess.run(
        [sys.executable, "-m", "report", *options],
        cwd=ROOT,
        env=clean_environment() | project.environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return path


def built(project: Project) -> Project:
    project.load()
    project.dbt("run")
    return project


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


class Opened:
    """A page opened from disk, with what it asked for and complained of."""

    def __init__(self, chromium: Browser, path: Path, width: int, scheme: str) -> None:
        self.page: Page = chromium.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        self.noise: list[str] = []
        self.page.on("console", lambda message: self.noise.append(message.text))
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("dialog", lambda dialog: self.noise.append(dialog.message))
        self.page.on("request", lambda request: self.noise.append(request.url))
        self.page.goto(path.as_uri())
        self.noise = [
            text
            for text in self.noise
            if not text.startswith("data:image/svg+xml") and text != path.as_uri()
        ]


def expected_tables() -> dict[str, list[list[str]]]:
    """The answers to all questions about the sample, as the page is to show them."""
    sample = ROOT / "sample_data"
    loads = [Load(input_files(sample / "log_data"), input_files(sample / "song_data"))]
    star = expected_answers.Star(expected_star(loads) | expected_marts(loads))
    tables = {}
    for name, analysis in ANALYSES.items():
        columns = [column["name"] for column in analysis["columns"]]
        tables[name] = [
            [
                as_text(as_dbt(cell, column), column)
                for cell, column in zip(row, columns, strict=True)
            ]
            for row in getattr(expected_answers, name)(star)
        ]
    return tables


def as_dbt(value: Any, column: str) -> Any:
    """A number as dbt returns it: means are never integers."""
    is_mean = column.startswith(("mean_", "median_", "plays_per_"))
    return Decimal(repr(float(value))) if is_mean or isinstance(value, float) else value


def test_both_engines_answer_alike(new_project: Callable[..., Project], chromium: Browser) -> None:
    """The page of the sample is as expected, on both engines, and reads well in a browser."""
    sample = ROOT / "sample_data"
    path = write_report(built(new_project("local", source=sample)))
    page = path.read_text()
    tables = {name: [row for row in rows if row] for name, rows in Tables(page).rows.items()}
    (events, songs) = tables.pop("loads")
    assert events[:4] == ["staging_events", "1", "10", "2,936"]
    assert songs[:4] == ["staging_songs", "1", "85", "97"]
    assert tables == expected_tables()

    on_redshift = write_report(built(new_project("redshift", source=sample))).read_text()
    assert "on Amazon Redshift" in on_redshift
    assert main_of(on_redshift) == main_of(page)

    for width in (400, 1400):
        for scheme in SCHEMES:
            check_page(Opened(chromium, path, width, scheme))


def main_of(page: str) -> str:
    """The answers on the page, without the time at which it was made."""
    return TIME.sub("", page[page.index("<main") : page.index("</main>")])


def check_page(opened: Opened) -> None:
    """What must be true of the page at any width and in any scheme."""
    page = opened.page
    assert opened.noise == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    images = page.locator("img")
    charts = [each["config"]["meta"]["chart"] for each in ANALYSES.values() if "config" in each]
    assert images.count() == len(charts)
    for image in images.all():
        assert image.evaluate("image => image.naturalWidth") > 100
        assert image.get_attribute("alt")
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map(heading => Number(heading.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    for landmark in ("banner", "main", "navigation", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    for each in ANALYSES.values():
        expect(page.get_by_role("article", name=each["description"])).to_have_count(1)
        page.get_by_role("link", name=each["description"]).click()
        expect(page.get_by_role("heading", name=each["description"])).to_be_in_viewport()

    page.goto(page.url.split("#")[0])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the answers")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    summary = page.locator("summary", has_text="Rows 11 to 168")
    rows = summary.locator("xpath=..").get_by_role("row")
    summary.focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(168 - 10 + 1)
    page.close()


def test_hostile_titles_are_data(new_project: Callable[..., Project], chromium: Browser) -> None:
    project = new_project("local")
    titles = [*HOSTILE, "bell\u0007 and noncharacter \ufffe"]
    project.write_events(
        "events.json",
        *[event(number, song=title, artist=title) for number, title in enumerate(titles)],
    )
    project.write_songs("songs.json", song(1))
    path = write_report(built(project))
    shown = [*HOSTILE, "bell and noncharacter "]
    rows = Tables(path.read_text()).rows["most_played_songs"]
    assert sorted(row[0] for row in rows if row) == sorted(shown)

    for match in IMAGE.findall(path.read_text()):
        image = ElementTree.fromstring(base64.b64decode(match))
        for element in image.iter():
            assert element.tag.rpartition("}")[2] not in ("script", "image", "foreignObject", "a")
            assert not any(name.startswith("on") for name in element.attrib)
    for width in (400, 1400):
        opened = Opened(chromium, path, width, "light")
        assert opened.noise == []
        assert opened.page.title() == "What Sparkify's users listen to"
        assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert opened.page.locator("script").count() == 0
        for title in HOSTILE:
            assert opened.page.get_by_role("cell", name=title, exact=True).count()
        opened.page.close()


def test_a_question_is_answered_as_text(new_project: Callable[..., Project]) -> None:
    """With whole names, and its caveats."""
    project = new_project("local", source=ROOT / "sample_data")
    shutil.copytree(ROOT / "report", project.folder / "report")
    ask = [sys.executable, "-m", "report.ask", "artists_on_the_rise"]
    environment = {**clean_environment(), **project.environment}
    run = {"cwd": project.folder, "env": environment, "capture_output": True, "text": True}
    unbuilt = subprocess.run(ask, **run)
    assert unbuilt.returncode == 1
    assert unbuilt.stderr == "Error: Nothing is built yet: run `make run` first.\n"
    built(project)
    lines = subprocess.run(ask, **run).stdout.splitlines()
    assert lines[0] == "Which artists gain the most plays from one week to the next?"
    assert "Caveats: " in lines[3]
    assert lines[5].split() == ["artist_name", "play_count", "play_count_before", "gain"]
    (name, *numbers) = next(
        row for row in expected_tables()["artists_on_the_rise"] if len(row[0]) > 20
    )
    assert any(line.startswith(name) and line.split()[-3:] == numbers for line in lines)


def test_a_star_without_plays_has_a_report(new_project: Callable[..., Project]) -> None:
    project = new_project("local")
    project.write_events("events.json", event(1, page="Home", song=None, artist=None, length=None))
    project.write_songs("songs.json", song(1))
    page = write_report(built(project)).read_text()
    assert "The star holds no plays yet." in page
    assert page.count("There are no rows.") > len(ANALYSES) / 2


def week(number: int, **changes: Any) -> dict[str, Any]:
    """A row of overview_by_week."""
    return {
        "week_start": date(2018, 10, 29) + number * timedelta(7),
        "day_count": 7,
        "listener_count": 100,
        "paid_listener_count": 25,
        "lost_listener_count": 1,
        "play_count": 2000,
        "paid_play_count": 1000,
        "top_artist_name": "An artist",
        "top_song_title": "A song",
        **changes,
    }


def test_the_front_page_compares_complete_weeks() -> None:
    weeks = [
        week(0),
        week(1, listener_count=110, play_count=1500),
        week(2, day_count=3),
    ]
    front = overview(weeks)
    assert front.period == (
        "5 November 2018 to 11 November 2018 (UTC), the last complete week of the data"
    )
    answers = {card.question: [card.answer, *card.more] for card in front.cards}
    assert answers == {
        "How many listen?": ["110 listeners", "users with at least one play"],
        "How much?": ["1,500 plays", "13.6 per listener"],
        "What?": ["An artist", "is the most played artist", "Most played song: A song"],
        "Is it growing?": ["+10% listeners", "-25% plays", "100 and 2,000 in the week before"],
        "Who pays?": ["23% of the listeners", "67% of the plays are paid"],
        "Who leaves?": ["1 listener", "of 100 in the week before did not come back"],
    }


@pytest.mark.parametrize(
    ("weeks", "reason"),
    [
        ([week(0)], "The data covers 0 days of the week before."),
        ([week(0, day_count=1), week(1)], "The data covers 1 day of the week before."),
        ([week(0), week(1, day_count=6)], "The data covers 6 days of the week."),
        ([week(0, listener_count=0, play_count=0), week(1)], "The week before has no plays."),
    ],
)
def test_growth_needs_two_complete_weeks(weeks: list[dict[str, Any]], reason: str) -> None:
    assert overview(weeks).cards
    card = growth(weeks[-1], weeks[-2] if len(weeks) > 1 else {})
    assert card.answer == "Not known yet"
    assert card.more == [reason]


@pytest.mark.parametrize("name", [name for name in ANALYSES if "config" in ANALYSES[name]])
def test_a_chart_says_what_it_shows(name: str) -> None:
    assert ANALYSES[name]["config"]["meta"]["chart"]["description"].endswith(".")
