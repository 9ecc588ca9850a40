"""What runs with a Docker engine: one container, or the project that docker-compose.yml describes."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from helpers.engine import ROOT, Engine
from helpers.server import wait_until

UID = 10001
ONLY_NET_RAW = 1 << 13
START_SECONDS = 300


@dataclass(frozen=True)
class Container:
    """A container that runs, or did."""

    docker: Engine
    name: str

    def inspect(self, template: str) -> str:
        return self.docker.run("docker", "inspect", "--format", template, self.name).stdout.strip()

    def exec(self, *command: str) -> str:
        return self.docker.run("docker", "exec", self.name, *command).stdout

    def logs(self) -> str:
        told = self.docker.run("docker", "logs", self.name)
        return told.stdout + told.stderr

    @property
    def pid(self) -> int:
        return int(self.inspect("{{.State.Pid}}"))

    @property
    def status(self) -> dict[str, str]:
        """What the kernel says of its first process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        wait_until(lambda: self.inspect("{{.State.Running}}") == "false", seconds=120)
        return int(self.inspect("{{.State.ExitCode}}"))

    def written(self) -> list[str]:
        """The files that were changed in the container's own layer, which no volume is."""
        mounted = self.inspect("{{range .Mounts}}{{.Destination}} {{end}}").split()
        changes = [line[2:] for line in self.docker.run("docker", "diff", self.name).stdout.splitlines()]
        # Where something is mounted, and the folders above.
        return [path for path in changes if not any(f"{place}/".startswith(f"{path}/") for place in mounted)]


@contextmanager
def container(
    docker: Engine, image: str, *options: str, command: tuple[str, ...] = ()
) -> Iterator[Container]:
    """Run an image with `docker run`'s options; removed afterwards, its volumes too."""
    name = f"ml-ids-test-{uuid.uuid4().hex[:8]}"
    docker.run("docker", "run", "--detach", "--name", name, *options, image, *command)
    try:
        yield Container(docker, name)
    finally:
        docker.run("docker", "rm", "--force", "--volumes", name)


def ready(url: str) -> bool:
    """Whether the service at a URL says so."""
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@dataclass(frozen=True)
class Project:
    """A checkout in a folder, and what `docker-compose` makes of it."""

    docker: Engine
    folder: Path

    def compose(self, *command: str) -> str:
        """Run `docker-compose` in the folder; what it prints."""
        return self.docker.run("docker-compose", *command, cwd=self.folder).stdout

    def set(self, text: str) -> None:
        """Write `.env`."""
        (self.folder / ".env").write_text(text)

    def container(self, service: str) -> Container:
        return Container(self.docker, self.compose("ps", "--quiet", service).strip())

    def services(self) -> list[str]:
        """The services that run."""
        of_it = f"label=com.docker.compose.project={self.folder.name}"
        service = '{{.Label "com.docker.compose.service"}}'
        return self.docker.run("docker", "ps", "--filter", of_it, "--format", service).stdout.split()

    def restart(self, service: str) -> None:
        """Restart a service and wait until its container runs anew."""
        before = self.container(service).inspect("{{.State.StartedAt}}")
        self.compose("restart", service)
        assert self.container(service).inspect("{{.State.StartedAt}}") != before


def clone(docker: Engine, folder: Path) -> Project:
    """Clone this checkout, at its last commit; copy what is no checkout."""
    if (ROOT / ".git").exists():
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    else:
        unwanted = shutil.ignore_patterns(".venv", "var", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, folder, symlinks=True, ignore=unwanted)
    return Project(docker, folder)


def checkout(docker: Engine, folder: Path) -> Project:
    """Copy what is to be committed, changes that are not committed too."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    return Project(docker, folder)


@contextmanager
def running(project: Project, *options: str) -> Iterator[Project]:
    """`docker-compose up` as README says it; down afterwards, volumes and all."""
    project.compose("up", "-d", "--build", *options)
    try:
        yield project
    finally:
        project.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
