"""What the Makefile says to a newcomer."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSIONS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
LOWEST, TOO_HIGH = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", VERSIONS).groups())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in which nothing is installed."""
    parts = ("analyses", "loader", "report", "requirements")
    for name in ("Makefile", "pyproject.toml", "profiles.yml.example", *parts):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make as if no other make had started it; what is installed counts as up to date."""
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    installed = ("--old-file=.venv/local", "--old-file=.venv/bin/python")
    return subprocess.run(
        ["make", *(installed if (folder / ".venv").exists() else ()), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("minor", [LOWEST - 1, TOO_HIGH])
def test_another_python_is_refused(folder: Path, minor: int) -> None:
    python = folder / "python"
    version = f"import sys; sys.version_info = (3, {minor}, 0)"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{version}; exec(sys.argv[1])" "$2"\n')
    python.chmod(0o755)
    run = make(folder, "run", f"PYTHON={python}")
    supported = f"3.{LOWEST} to 3.{TOO_HIGH - 1}"
    assert run.stderr.startswith(f"Python 3.{minor} is not supported; {supported} are: make run ")
    assert run.returncode
    assert not (folder / ".venv").exists()


def test_the_readme_names_the_same_versions() -> None:
    assert f"Python 3.{LOWEST} to 3.{TOO_HIGH - 1}" in (ROOT / "README.md").read_text()


def test_questions_are_listed(folder: Path) -> None:
    (folder / ".venv").symlink_to(Path(sys.prefix))
    names = {path.stem for path in (ROOT / "analyses").glob("*.sql")}
    for arguments, is_error in (((), False), (("ANALYSIS=no_such_question",), True)):
        run = make(folder, "ask", *arguments)
        assert bool(run.returncode) == is_error
        assert names <= set(run.stdout.split())


def test_a_port_in_use_is_named(folder: Path) -> None:
    (folder / ".venv").symlink_to(Path(sys.prefix))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = make(folder, "docs", f"PORT={port}")
    assert run.returncode
    assert f"Port {port} is not free" in run.stderr


def test_help_lists_every_target() -> None:
    listed = {line.split()[0] for line in make(ROOT, "help").stdout.splitlines()}
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == set(phony[1].split())
