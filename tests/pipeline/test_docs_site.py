"""dbt's documentation as a reader sees it: served, opened and searched in a browser."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .browser import browser
from .conftest import MARTS, Project

MODEL = "model.sparkify.fct_songplays"
# The number of colors in the fullest canvas: one if it is empty.
DRAWN_COLORS = """
    Math.max(...[...document.querySelectorAll("canvas")].map((canvas) => {
        if (canvas.width === 0) return 0
        const area = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
        return new Set(new Uint32Array(area.data.buffer)).size
    }))
"""
# The ids of the nodes of the graph that is shown.
SHOWN_NODES = """
    [...document.querySelectorAll("*")].find((each) => each._cyreg && each._cyreg.cy)
        ._cyreg.cy.nodes(":visible").map((node) => node.id())
"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, as `dbt docs serve` does, and prints nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[Page]:
    """A page in the browser of this machine."""
    with browser() as started:
        yield started.new_page(viewport={"width": 1280, "height": 900})


@pytest.fixture
def site(local_project: Project) -> Iterator[tuple[str, Path]]:
    """The address of the documentation, as `make docs` writes it, and its static file."""
    local_project.with_artifacts()
    local_project.load()
    local_project.dbt("run")
    local_project.dbt("docs", "generate", "--static")
    folder = local_project.folder / "target"
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", folder / "static_index.html"
        server.shutdown()
        thread.join()


def test_a_reader_finds_the_fact(
    page: Page, site: tuple[str, Path], local_project: Project
) -> None:
    """Its description, columns, tests and lineage, on the site and in the static file. A link on
    the first page shows the lineage of raw tables, seeds and models, without tests and analyses.
    """
    page.goto(site[0])
    expect(page.get_by_role("heading", name="Sparkify: what users listen to")).to_be_visible()
    for table in MARTS:
        expect(page.get_by_role("link", name=table, exact=True)).to_be_visible()

    page.get_by_placeholder("Search for models...").fill("fct_songplays")
    page.locator(f".result[href='#!/model/{MODEL}']").click()
    expect(page.get_by_role("heading", name="fct_songplays")).to_be_visible()
    expect(page.get_by_text("One row per play").locator("visible=true").first).to_be_visible()
    song = page.get_by_role("row").filter(has_text="song_id").locator("visible=true")
    expect(song).to_contain_text("VARCHAR")
    expect(song).to_contain_text("The song: the catalog's id")
    expect(song.get_by_title("Not Null").first).to_be_visible()
    expect(song.get_by_title("Foreign Key")).to_be_visible()

    page.locator(".launcher-btn:visible").first.click()
    page.wait_for_function(f"{DRAWN_COLORS} > 100")

    page.goto(f"{site[1].as_uri()}#!/model/{MODEL}")
    expect(page.get_by_role("heading", name="fct_songplays")).to_be_visible()

    page.goto(f"{site[0]}#!/exposure/exposure.sparkify.audience")
    link = page.get_by_role("link", name="View this exposure")
    expect(link).to_have_attribute("href", "report.html#audience")

    page.goto(site[0])
    page.get_by_role("link", name="the lineage of the models").click()
    page.wait_for_function(f"{DRAWN_COLORS} > 100")
    manifest = local_project.artifact("manifest.json")
    expected = {name for name in manifest["sources"] if ".sparkify.staging_" in name}
    expected |= {name for name in manifest["nodes"] if name.startswith(("model.", "seed."))}
    assert set(page.evaluate(SHOWN_NODES)) == expected
