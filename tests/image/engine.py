"""What builds and runs the image: Docker, or Podman where no registry is at hand.

Podman then finds the Dockerfile's base in its own storage: the same Debian, made from its packages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE = "sparkify-under-test"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TOOLS = ("mmdebstrap", "podman", "runc")


@dataclass
class Engine:
    """A container engine: its command, and the options that only it needs."""

    command: list[str]
    build_options: list[str] = field(default_factory=list)
    run_options: list[str] = field(default_factory=list)

    def build(self) -> None:
        """Builds the image from the Dockerfile. Raises RuntimeError."""
        self.call("build", "--network=host", *self.build_options, "--tag", IMAGE, str(ROOT))

    def run(
        self, *command: str, read_only: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in a new container, whatever its exit code. Only the names of variables
        are on the engine's command line."""
        options = ["--rm", "--network=host", "--tmpfs=/tmp", *self.run_options]
        options += ["--read-only"] * read_only
        options += [f"--env={name}" for name in environment]
        return subprocess.run(
            [*self.command, "run", *options, IMAGE, *command],
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )

    def inspect(self, field: str) -> str:
        """What the image says in a field, as a template of Go prints it. Raises RuntimeError."""
        return self.call("image", "inspect", f"--format={{{{.{field}}}}}", IMAGE).strip()

    def call(self, *arguments: str) -> str:
        """What a command of the engine prints. Raises RuntimeError if it fails."""
        run = subprocess.run([*self.command, *arguments], capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"{arguments[0]} failed: {run.stdout}{run.stderr}")
        return run.stdout


@contextmanager
def engine_of_this_machine() -> Iterator[Engine]:
    """Docker if it runs, otherwise Podman. Raises RuntimeError if there is neither."""
    if is_docker_running():
        yield Engine(["docker"])
        return
    if os.geteuid() or not all(map(shutil.which, TOOLS)):
        raise RuntimeError(
            "This needs Docker; or root, and then apt-get install --no-install-recommends "
            + " ".join(TOOLS)
        )
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        engine = podman(Path(folder))
        try:
            yield engine
        finally:
            engine.call("rmi", "--all", "--force")


def is_docker_running() -> bool:
    """Whether the command docker is there and reaches its daemon."""
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def podman(folder: Path) -> Engine:
    """Podman with a folder of its own, in which it has the base of the Dockerfile."""
    (suite,) = re.findall("^FROM debian:(.*)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    archive = folder / "debian.tar"
    make_debian(suite, archive)
    engine = Engine(
        [
            "podman",
            f"--root={folder / 'root'}",
            f"--runroot={folder / 'run'}",
            "--runtime=runc",
            "--cgroup-manager=cgroupfs",
        ],
        ["--isolation=chroot", "--layers=false", "--pull=never"],
        # By default Podman makes more folders writable than Docker does, and raises limits, which
        # some machines forbid.
        ["--read-only-tmpfs=false", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"],
    )
    engine.call("import", str(archive), f"docker.io/library/debian:{suite}-slim")
    return engine


def make_debian(suite: str, archive: Path) -> None:
    """Writes the root of Debian's container image: the required packages and apt, with that image's
    settings. Its pip trusts whom this machine trusts, for networks with a proxy."""
    settings = f"[global]\\ncert = /etc/{CERTIFICATES.name}\\n"
    options = [
        "--quiet",
        "--variant=minbase",
        '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "locale", "man")),
        f"--customize-hook=copy-in {CERTIFICATES} /etc",
        f"""--customize-hook=printf '{settings}' > "$1/etc/pip.conf" """,
    ]
    run = subprocess.run(["mmdebstrap", *options, suite, archive], capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"mmdebstrap failed: {run.stderr}")
