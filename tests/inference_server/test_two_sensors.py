"""Two sensors and their central service, each in a network namespace of its own, joined by wires."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from detection.mlflow_client import embedded_uri
from helpers.certificates import make_pair
from helpers.command import BIN, Command, running
from helpers.namespace import Namespace, network_namespace, require_tools
from helpers.sensors import logged
from helpers.server import wait_until

DEMO = Path(__file__).parents[2] / "data" / "demo" / "demo.pcap"
CENTRAL = "10.99.0.1"
PORT = "8443"
KEYS = {"edge-1": "key-of-edge-1", "edge-2": "key-of-edge-2"}
GET = (
    "import ssl, sys, urllib.request as u; "
    "r = u.Request(sys.argv[1], headers={'X-API-Key': 'key-of-edge-1'}); "
    "sys.stdout.write(u.urlopen(r, context=ssl._create_unverified_context(), timeout=60).read().decode())"
)
pytestmark = [pytest.mark.needs_netns, pytest.mark.slow]


@pytest.fixture
def namespaces() -> Iterator[dict[str, Namespace]]:
    """The central service's and two sensors', whose `uplink` leads there."""
    require_tools("tcpreplay")
    with ExitStack() as stack:
        made = {name: stack.enter_context(network_namespace()) for name in ("central", *KEYS)}
        central = made["central"]
        central.run("ip", "link", "add", "office", "type", "bridge")
        central.run("ip", "address", "add", f"{CENTRAL}/24", "dev", "office")
        central.run("ip", "link", "set", "office", "up")
        for number, name in enumerate(KEYS, start=2):
            made[name].run(
                *("ip", "link", "add", "uplink", "type", "veth"), *("peer", name, "netns", central.name)
            )
            made[name].run("ip", "address", "add", f"10.99.0.{number}/24", "dev", "uplink")
            made[name].run("ip", "link", "set", "uplink", "up")
            central.run("ip", "link", "set", name, "master", "office", "up")
        for each in made.values():
            each.run("ip", "link", "set", "lo", "up")
        yield made


def service(
    namespace: Namespace, folder: Path, host: str, port: str, **environment: str
) -> AbstractContextManager[Command]:
    folder.mkdir()
    command = namespace.command(str(BIN / "ml-ids"), "serve", "--host", host, "--port", port)
    command[0] = str(shutil.which("ip"))
    return running(command, folder, DEMO="0", **environment)


def asked(namespace: Namespace, url: str) -> Any:
    try:
        return json.loads(namespace.run(sys.executable, "-c", GET, url).stdout)
    except subprocess.CalledProcessError as error:
        raise AssertionError(error.stderr) from error


def replay(namespace: Namespace) -> None:
    namespace.run("tcpreplay", "-q", "-i", namespace.sender, "--multiplier", "20", str(DEMO))


def test_a_central_service_alerts_in_the_name_of_each_sensor_and_of_all_their_flows(
    namespaces: dict[str, Namespace], champion_state: Path, tmp_path: Path
) -> None:
    pair = make_pair(tmp_path, address=CENTRAL)
    central = namespaces["central"]
    environment = {
        "MLFLOW_TRACKING_URI": embedded_uri(champion_state),
        "API_KEYS": ",".join(f"{name}:predict:{key}" for name, key in KEYS.items()),
        "TLS_CERT_FILE": str(pair.certificate),
        "TLS_KEY_FILE": str(pair.key),
        "SENSOR_ID": "central",
        "START_CICFLOWMETER": "false",
        "LOG_NEGATIVE_PREDICTIONS": "true",
        "DETECTION_THRESHOLD": "0.000001",
    }
    # The second one's wire is cut until all of its flows have ended.
    namespaces["edge-2"].run("ip", "link", "set", "uplink", "down")
    with ExitStack() as stack:
        stack.enter_context(service(central, tmp_path / "central", CENTRAL, PORT, **environment))
        sensors = {
            name: stack.enter_context(
                service(
                    namespaces[name],
                    tmp_path / name,
                    "127.0.0.1",
                    "0",
                    SENSOR_ID=name,
                    # On the way to the central service too: what is sent there must not be captured.
                    CIC_INTERFACE=f"{namespaces[name].sensor},uplink",
                    REMOTE_SCORING_URL=f"https://{CENTRAL}:{PORT}",
                    REMOTE_SCORING_KEY=key,
                    REMOTE_SCORING_CA_FILE=str(pair.certificate),
                    CAPTURE_IDLE_SECONDS="3",
                )
            )
            for name, key in KEYS.items()
        }

        def health(name: str) -> dict[str, Any]:
            return dict(asked(namespaces[name], f"{sensors[name].url}/health"))

        def known() -> dict[str, dict[str, Any]]:
            return {each["sensor"]: each for each in asked(central, f"https://{CENTRAL}:{PORT}/api/sensors")}

        wait_until(lambda: asked(central, f"https://{CENTRAL}:{PORT}/ready")["ready"])
        for name in KEYS:
            wait_until(lambda name=name: health(name)["capture"]["interfaces"][0]["running"])
            replay(namespaces[name])
        wait_until(lambda: health("edge-2")["central"]["pending"] > 100)
        assert "no answer" in health("edge-2")["central"]["error"]
        assert "edge-2" not in known()
        namespaces["edge-2"].run("ip", "link", "set", "uplink", "up")
        for name in KEYS:
            wait_until(lambda name=name: known().get(name, {}).get("flows", 0) > 200)
            sensors[name].stop(signal.SIGTERM)
        flows = {name: each["flows"] for name, each in known().items()}
        alerted = tmp_path / "central" / "logs" / "alerts.json"
        wait_until(lambda: all(name in alerted.read_text() for name in KEYS))
    lines = logged(tmp_path / "central" / "logs")
    assert flows == Counter(line["sensor"] for line in lines)
    assert len({(line["sensor"], line["flow_uid"], line["revision"]) for line in lines}) == len(lines)
    assert {line["interface"] for line in lines if line["label"] != "benign"} == {"sensor"}
    assert not [line for line in lines if CENTRAL in (line["src_ip"], line["dst_ip"])]
    alerts = [json.loads(line) for line in alerted.read_text().splitlines()]
    assert {alert["ml_ids"]["sensor"] for alert in alerts if "alert" in alert} == set(KEYS)
