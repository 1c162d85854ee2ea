"""The committed sample is what its script generates."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

from .conftest import ROOT, input_files

SAMPLE = ROOT / "sample_data"


def content(path: Path) -> bytes:
    """The unpacked content of a file: versions of zlib compress differently."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_the_script_makes_the_sample(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SAMPLE / "make_sample.py", tmp_path], check=True)
    made = {path.relative_to(tmp_path): content(path) for path in input_files(tmp_path)}
    files = [path for folder in SAMPLE.glob("*_data") for path in input_files(folder)]
    assert made == {path.relative_to(SAMPLE): content(path) for path in files}
    assert len(made) == 95


def test_the_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 1_000_000
