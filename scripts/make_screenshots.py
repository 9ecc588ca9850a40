"""Write the pictures of the dashboard that README.md shows.

scripts/make_screenshots.py [DIRECTORY]    into docs/images, or elsewhere
scripts/make_screenshots.py --no-traffic   without live capture

Starts the service with state of its own and its demo, and Debian's chromium. Where it may capture, tcpreplay
sends the demo's packets over the loopback interface, so that the sensor has something to see.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from capture.interfaces import may_capture

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
DEMO = ROOT / "data" / "demo" / "demo.pcap"
KEY = "only-for-pictures"
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
DEMO_NETWORKS = "net 192.0.2.0/24 or net 198.51.100.0/24 or net 203.0.113.0/24"
READY_SECONDS = 300
SEEN_SECONDS = 30
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def service(directory: Path, captures: bool) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "STATE_DIR": str(directory / "var"),
        "LOG_DIR": str(directory / "logs"),
        "PORT": str(port),
        "API_KEYS": f"analyst:admin:{KEY}",
        "SENSOR_ID": "edge-gateway-1",
        "START_CICFLOWMETER": str(captures).lower(),
        "CIC_INTERFACE": "lo",
        "CAPTURE_FILTER": DEMO_NETWORKS,
        "DEMO": "1",
    }
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "inference_server.main:app", "--port", str(port)]
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=directory, env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _ready(url):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit((directory / "output").read_text())
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def traffic(captures: bool) -> Iterator[None]:
    if not captures:
        yield
        return
    command = ["tcpreplay", "-q", "-i", "lo", "--pps=150", "--loop=1000", str(DEMO)]
    replay = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(SEEN_SECONDS)
        yield
    finally:
        replay.terminate()
        replay.wait(30)


@contextmanager
def visit(browser: Browser, url: str, size: dict[str, int], scheme: str) -> Iterator[Page]:
    context = browser.new_context(viewport=size, color_scheme=scheme, base_url=url, locale="en-GB")
    page = context.new_page()
    page.goto("/dashboard/login")
    page.get_by_label("API key").fill(KEY)
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()
    page.locator("tr[data-id]").first.wait_for()
    # The list's and the charts' first drawing is over then.
    page.wait_for_timeout(3500)
    yield page
    context.close()


def take(browser: Browser, url: str, directory: Path) -> None:
    def picture(page: Page, name: str) -> None:
        page.screenshot(path=directory / f"{name}.png")

    with visit(browser, url, LAPTOP, "light") as page:
        picture(page, "alerts")
        page.goto("/dashboard/sensor")
        page.wait_for_timeout(2500)
        picture(page, "sensor")
    with visit(browser, url, LAPTOP, "dark") as page:
        page.get_by_role("button", name="DoS Hulk").first.click()
        page.locator(".why svg").wait_for()
        page.wait_for_timeout(700)
        picture(page, "alert")
    with visit(browser, url, PHONE, "dark") as page:
        picture(page, "phone")
        page.goto("/dashboard/captures")
        page.get_by_label("Drop a capture here, or choose one").set_input_files(DEMO)
        page.get_by_text("Analysed", exact=True).wait_for(timeout=120_000)
        page.wait_for_timeout(1500)
        picture(page, "capture-phone")


def main() -> None:
    named = [Path(text) for text in sys.argv[1:] if text != "--no-traffic"]
    directory = named[0] if named else IMAGES
    directory.mkdir(parents=True, exist_ok=True)
    captures = "--no-traffic" not in sys.argv and may_capture() and shutil.which("tcpreplay") is not None
    with (
        tempfile.TemporaryDirectory() as scratch,
        service(Path(scratch), captures) as url,
        traffic(captures),
        sync_playwright() as playwright,
    ):
        path = shutil.which("chromium") or sys.exit("chromium is not installed: apt-get install chromium")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        take(browser, url, directory)
        browser.close()


if __name__ == "__main__":
    main()
