"""A Docker engine of the tests' own, and a base image where no registry can be reached.

`PYTHONPATH=tests python3 -P -m helpers.engine FOLDER IMAGE=DOCKERFILE[:STAGE]...` starts one, builds images,
writes its address to FOLDER/ready, or to FOLDER/missing why there is none, and stops it when terminated.
Only the standard library is imported for that.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE_IMAGE = "python:3.11-slim"
PYTHON = "3.11"
DEBIAN = "bookworm"
MIRROR = "http://deb.debian.org/debian"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LIBRARIES = (
    "ca-certificates,libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0,liblzma5,libreadline8,libuuid1,libexpat1,"
    "netbase,tzdata,libncursesw6,libgdbm6,libdb5.3"
)
NOT_IN_SLIM = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt/lists")
BUILD_SECONDS = 1800
START_SECONDS = 60


class NoEngineError(Exception):
    """There is no engine, and none can be started; says why."""


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    address: str

    def run(
        self, *command: str | Path, check: bool = True, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker` or `docker-compose` with this engine; its output is text."""
        variables = os.environ | {"DOCKER_HOST": self.address} | environment
        ran = subprocess.run(
            command,
            env=variables,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        told = ran.stdout[-4000:] + ran.stderr[-4000:]
        assert not check or ran.returncode == 0, f"{' '.join(map(str, command))}\n{told}"
        return ran

    def build(self, name: str, dockerfile: str, stage: str = "") -> str:
        """Build an image of this project; its name."""
        target = ("--target", stage) if stage else ()
        self.run("docker", "build", "--quiet", "--file", ROOT / dockerfile, *target, "--tag", name, ROOT)
        return name

    def knows(self, image: str) -> bool:
        """Return whether there is an image of that name."""
        return self.run("docker", "image", "inspect", image, check=False).returncode == 0


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Start an engine, or use that of DOCKER_HOST, and give it the base image.

    Raises:
        NoEngineError: there is none.
    """
    if address := os.environ.get("DOCKER_HOST"):
        given = Engine(address)
        if not _answers(given):
            raise NoEngineError(f"DOCKER_HOST={address} does not answer")
        _get_base_image(given, folder)
        yield given
        return
    missing = [name for name in ("dockerd", "docker", "iptables") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        raise NoEngineError(f"needs root and {', '.join(missing) or 'an engine'} to start a Docker engine")
    address = f"unix://{folder}/engine.sock"
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "engine.pid"}
    options = [f"--{name}={folder / place}" for name, place in places.items()]
    with (folder / "engine.log").open("wb") as log:
        process = subprocess.Popen(["dockerd", *options, "-H", address], stdout=log, stderr=log)
    try:
        started = Engine(address)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(started):
            if process.poll() is not None or time.monotonic() > deadline:
                told = (folder / "engine.log").read_text()[-300:]
                raise NoEngineError(f"the engine does not start: {told}")
            time.sleep(0.2)
        _get_base_image(started, folder)
        yield started
    finally:
        process.terminate()
        process.wait(60)
        # The engine leaves its mount of the host's network namespace.
        subprocess.run(["umount", folder / "exec" / "netns" / "default"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(found: Engine) -> bool:
    return found.run("docker", "info", check=False).returncode == 0


def _get_base_image(found: Engine, folder: Path) -> None:
    if found.knows(BASE_IMAGE):
        return
    if found.run("docker", "pull", "--quiet", BASE_IMAGE, check=False).returncode == 0:
        return
    try:
        _make_base_image(found, folder / "base")
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoEngineError(f"{BASE_IMAGE} can neither be pulled nor made: {error}") from error


def _make_base_image(found: Engine, root: Path) -> None:
    """Import Debian with this machine's Python as the base image."""
    version = sysconfig.get_python_version()
    if version != PYTHON:
        raise NoEngineError(f"needs {BASE_IMAGE}, or Python {PYTHON} to make it, not {version}")
    command = ["debootstrap", "--variant=minbase", f"--include={LIBRARIES}", DEBIAN, str(root), MIRROR]
    if not shutil.which("debootstrap") or subprocess.run(command, capture_output=True).returncode:
        raise NoEngineError(f"needs {BASE_IMAGE}, or debootstrap and Debian's archive to make it")
    _put_python_into(root)
    shutil.copyfile(CERTIFICATES, root / CERTIFICATES[1:])
    for unused in NOT_IN_SLIM:
        shutil.rmtree(root / unused)
    for package in (root / "var" / "cache" / "apt").rglob("*.*"):
        package.unlink()
    changes = [
        "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
        "ENV LANG=C.UTF-8",
        f"ENV PIP_CERT={CERTIFICATES}",
        f"ENV SSL_CERT_FILE={CERTIFICATES}",
    ]
    given = [argument for change in changes for argument in ("--change", change)]
    tarred = root.with_suffix(".tar")
    subprocess.run(["tar", "-C", root, "-cf", tarred, "."], check=True)
    shutil.rmtree(root)
    found.run("docker", "import", *given, tarred, BASE_IMAGE)
    tarred.unlink()


def _put_python_into(root: Path) -> None:
    prefix, local = Path(sys.base_prefix), root / "usr" / "local"
    standard = f"python{PYTHON}"
    shutil.copytree(
        prefix / "lib" / standard,
        local / "lib" / standard,
        symlinks=True,
        ignore=shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "__pycache__", "*.a"),
    )
    (local / "lib" / standard / "site-packages").mkdir()
    for library in (prefix / "lib").glob("libpython3*"):
        shutil.copy2(library, local / "lib", follow_symlinks=False)
    shutil.copy2(Path(sys.base_prefix, "bin", standard).resolve(), local / "bin" / standard)
    for name in ("python", "python3"):
        (local / "bin" / name).symlink_to(standard)
    subprocess.run(["chroot", root, "ldconfig"], check=True)
    subprocess.run(["chroot", root, standard, "-m", "ensurepip"], check=True, capture_output=True)
    (local / "bin" / "pip").symlink_to(f"pip{PYTHON}")


def main(folder: Path, images: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    try:
        with engine(folder) as running:
            _tell(f"engine: {time.monotonic() - start:.0f} s")
            for image in images:
                name, _, source = image.partition("=")
                running.build(name, *source.split(":"))
                _tell(f"image {name}: {time.monotonic() - start:.0f} s")
            (folder / "ready").write_text(running.address)
            signal.pause()
    except NoEngineError as error:
        folder.mkdir(exist_ok=True)
        (folder / "missing").write_text(str(error))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
