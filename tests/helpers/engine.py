"""A Docker engine of the tests' own, and a base image where no registry can be reached."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.server import wait_until

BASE_IMAGE = "python:3.11-slim"
DEBIAN = "bookworm"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LIBRARIES = (
    "ca-certificates,libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0,liblzma5,libreadline8,libuuid1,libexpat1,"
    "netbase,tzdata,libncursesw6,libgdbm6,libdb5.3"
)
BUILD_SECONDS = 1800


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    address: str

    def run(self, *command: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        """Run `docker` or `docker-compose` with this engine; its output is text."""
        environment = os.environ | {"DOCKER_HOST": self.address}
        ran = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=BUILD_SECONDS, **options
        )  # type: ignore[call-overload]
        told = ran.stdout[-4000:] + ran.stderr[-4000:]
        assert not check or ran.returncode == 0, f"{' '.join(command)}\n{told}"
        return ran

    def build(self, root: Path, target: str) -> str:
        """Build a stage of the Dockerfile; the image's name."""
        self.run("docker", "build", "--quiet", "--target", target, "--tag", f"test-{target}", str(root))
        return f"test-{target}"


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Start an engine, or use that of DOCKER_HOST; skips the test where there is none."""
    if address := os.environ.get("DOCKER_HOST"):
        yield _with_base_image(Engine(address), folder)
        return
    needed = [name for name in ("dockerd", "docker", "iptables") if not shutil.which(name)]
    if needed or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(needed) or 'an engine'} to start a Docker engine")
    address = f"unix://{folder}/engine.sock"
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "engine.pid"}
    options = [f"--{name}={folder / place}" for name, place in places.items()]
    with (folder / "engine.log").open("wb") as log:
        process = subprocess.Popen(["dockerd", *options, "-H", address], stdout=log, stderr=log)
    try:
        started = Engine(address)
        wait_until(lambda: process.poll() is not None or _answers(started), seconds=60)
        if process.poll() is not None:
            pytest.skip(f"the engine does not start: {(folder / 'engine.log').read_text()[-300:]}")
        yield _with_base_image(started, folder)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(found: Engine) -> bool:
    return found.run("docker", "info", check=False).returncode == 0


def _with_base_image(found: Engine, folder: Path) -> Engine:
    have = found.run("docker", "image", "inspect", BASE_IMAGE, check=False).returncode == 0
    if not have and found.run("docker", "pull", "--quiet", BASE_IMAGE, check=False).returncode != 0:
        _make_base_image(found, folder / "base")
    return found


def _make_base_image(found: Engine, root: Path) -> None:
    """Import Debian with this machine's Python as the base image; skips where Debian cannot be had."""
    mirror = "http://deb.debian.org/debian"
    command = ["debootstrap", "--variant=minbase", f"--include={LIBRARIES}", DEBIAN, str(root), mirror]
    if not shutil.which("debootstrap") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip(f"needs {BASE_IMAGE}, or debootstrap and Debian's archive to make it")
    prefix, local = Path(sys.base_prefix), root / "usr" / "local"
    version = sysconfig.get_python_version()
    standard = f"python{version}"
    shutil.copytree(
        prefix / "lib" / standard,
        local / "lib" / standard,
        symlinks=True,
        ignore=shutil.ignore_patterns("site-packages", "test", "tests", "__pycache__"),
    )
    (local / "lib" / standard / "site-packages").mkdir()
    for library in (prefix / "lib").glob("libpython3*"):
        shutil.copy2(library, local / "lib", follow_symlinks=False)
    shutil.copy2(Path(sys.base_prefix, "bin", standard).resolve(), local / "bin" / standard)
    for name in ("python", "python3"):
        (local / "bin" / name).symlink_to(standard)
    shutil.copyfile(CERTIFICATES, root / CERTIFICATES[1:])
    subprocess.run(["chroot", root, "ldconfig"], check=True)
    subprocess.run(["chroot", root, standard, "-m", "ensurepip"], check=True, capture_output=True)
    (local / "bin" / "pip").symlink_to(f"pip{version}")
    for package in (root / "var" / "cache" / "apt" / "archives").glob("*.deb"):
        package.unlink()
    changes = [
        "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
        "ENV LANG=C.UTF-8",
        f"ENV PIP_CERT={CERTIFICATES}",
        f"ENV SSL_CERT_FILE={CERTIFICATES}",
    ]
    given = [argument for change in changes for argument in ("--change", change)]
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        found.run("docker", "import", *given, "-", BASE_IMAGE, stdin=tar.stdout)
    shutil.rmtree(root)
