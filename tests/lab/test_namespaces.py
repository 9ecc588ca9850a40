from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.namespace import require_tools
from lab import namespaces

pytestmark = pytest.mark.needs_netns

KILLED = """
import os, signal, sys
from lab import namespaces
name = namespaces.own_name("a")
namespaces.add(name)
namespaces.etc(name).joinpath("hosts").write_text("")
folder = namespaces.folder()
folder.joinpath("file").write_text("")
import subprocess
subprocess.Popen(namespaces.inside(name, ["sleep", "300"]), stdout=subprocess.DEVNULL)
print(name, folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def allowed() -> Iterator[None]:
    require_tools()
    name = namespaces.own_name("probe")
    try:
        namespaces.add(name)
    except OSError as error:
        pytest.skip(f"network namespaces are not allowed here: {error}")
    yield
    namespaces.remove_own()


def there() -> set[str]:
    return {path.name for path in namespaces.RUN.iterdir()}


def sleepers(name: str) -> list[str]:
    return namespaces.ip("netns", "pids", name).split()


def runs(pid: str) -> bool:
    """Whether a process is there, and not one that nobody has fetched the end of."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_start_removes_what_a_killed_run_left_and_nothing_else() -> None:
    ours = namespaces.own_name("probe")
    killed = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    left, folder = killed.stdout.split()
    assert left in there()
    deadline = time.monotonic() + 20
    while not (pids := sleepers(left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pids
    assert Path(folder).is_dir()
    assert namespaces.remove_leftovers() == sorted([left, Path(folder).name])
    assert not Path(folder).exists()
    assert left not in there()
    assert not (namespaces.ETC / left).exists()
    assert not any(runs(pid) for pid in pids)
    assert ours in there()


def test_a_number_that_another_process_has_now_is_a_leftover_too() -> None:
    pid = namespaces.own_name("").split(".")[1]
    other = f"{namespaces.PREFIX}.{pid}.12345.b"
    namespaces.add(other)
    assert other in namespaces.remove_leftovers()


def test_the_own_ones_go_with_their_processes() -> None:
    name = namespaces.own_name("c")
    namespaces.add(name)
    running = subprocess.Popen(namespaces.inside(name, ["sleep", "300"]))
    deadline = time.monotonic() + 20
    while not sleepers(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    namespaces.remove_own()
    assert running.wait(20) < 0
    assert not [each for each in there() if each.startswith(namespaces.own_name(""))]


def test_what_listens_is_known() -> None:
    name = namespaces.own_name("probe")
    program = "import socket; s = socket.create_server(('', 8123)); s.accept()"
    running = subprocess.Popen(namespaces.inside(name, [sys.executable, "-c", program]))
    try:
        deadline = time.monotonic() + 20
        while ("tcp", 8123) not in namespaces.listening(name) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert namespaces.listening(name) == {("tcp", 8123)}
    finally:
        running.kill()
        running.wait(20)
