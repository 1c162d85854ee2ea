"""Long work shows its progress, and Ctrl-C says what was kept."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

import loader
from loader import progress

from .conftest import Project, RedshiftProject, event

SLOWLY = """
import time

import loader, loader.loading

loader.LINE_SECONDS = 0.5
run = loader.loading.Dbt.run_operation

def run_slowly(self, macro, **arguments):
    if macro == "load_batch" and {seconds}:
        print("loading", flush=True)
        time.sleep({seconds})
    return run(self, macro, **arguments)

loader.loading.Dbt.run_operation = run_slowly

from loader.command import main

main()
"""


def start(project: Project, seconds: float, stderr: int, *arguments: str) -> subprocess.Popen:
    """Loads the events, with each batch taking this long."""
    if isinstance(project, RedshiftProject):
        project.upload()
    (project.folder / "script.py").write_text(SLOWLY.format(seconds=seconds))
    return subprocess.Popen(
        [sys.executable, "script.py", "--select", "staging_events", *arguments],
        cwd=project.folder,
        env=project.environment | {"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
        text=True,
    )


def test_lines_show_progress(local_project: Project) -> None:
    """Without a terminal."""
    process = start(local_project, 2, subprocess.PIPE)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "staging_events: loading: 1 s" in errors.splitlines()
    assert "\033" not in errors


def test_a_bar_shows_progress_on_a_terminal(local_project: Project) -> None:
    master, slave = pty.openpty()
    process = start(local_project, 2, slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65_536)
        except OSError:  # the other end is closed
            break
    os.close(master)
    assert process.wait() == 0
    assert re.search(rb"staging_events: loading  \[[#-]+\].*1 s", shown)


@pytest.mark.parametrize("group", [True, False], ids=["all processes", "one process"])
def test_ctrl_c_says_what_was_kept(project: Project, group: bool) -> None:
    """What was loaded before stays, and the next load continues."""
    project.load("--select", "staging_events")
    project.write_events("more.json", event(11))
    process = start(project, 30, subprocess.PIPE, "--target", project.target)
    assert process.stdout.readline() == "loading\n"
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Stopped. This run loaded 0 files; the batch under way was undone." in errors
    assert "Run load_staging.py again to load the rest." in errors
    assert "Traceback" not in errors
    count = "select count(*) from sparkify_raw.staging_events"
    assert project.query(count) == [(3,)]
    project.load("--select", "staging_events")
    assert project.query(count) == [(4,)]


def test_ctrl_c_while_processes_join(project: Project) -> None:
    """They end at once and print nothing."""
    for name in range(40):
        text = "".join(json.dumps(event(n)) + "\n" for n in range(2_000))
        (project.events / f"{name}.json").write_text(text + '{"ts": 1}')
    process = start(project, 0, subprocess.PIPE, "--target", project.target)
    while "object by object" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    *lines, stopped = errors.splitlines()
    assert stopped.startswith("Stopped. This run loaded 0 files")
    assert all(line.startswith("joining files: ") for line in lines), errors


def test_progress_with_files(capsys: pytest.CaptureFixture, monkeypatch) -> None:
    """It shows files, bytes, their rates and the time left."""
    monkeypatch.setattr(loader, "LINE_SECONDS", 0.05)
    with progress("joining files", 4_000) as advance:
        advance(1_000, 8_000_000)
        time.sleep(0.2)
    line = capsys.readouterr().err.splitlines()[0]
    assert line == (
        "joining files: 1,000 of 4,000 files, 8.0 MB in 1 s, 1,000 files/s, 8.0 MB/s, 3 s left"
    )


def test_short_work_shows_nothing(capsys: pytest.CaptureFixture) -> None:
    with progress("joining files", 4) as advance:
        advance(4, 10)
    assert capsys.readouterr().err == ""
