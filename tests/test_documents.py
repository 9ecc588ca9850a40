"""docs/ray.md, docs/scaling.md and docs/remote-model.md typed as they stand, on a network of the test's own.

What is a placeholder there (BUCKET, FOLDER, `REMOTE_SCORING_KEY=...`) gets a value; addresses and names of
hosts stay, and lead to this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from helpers.bulk import capture_bytes, s3_environment
from helpers.certificates import make_pair
from helpers.mlflow_server import RCLONE, S3_KEY
from helpers.namespace import require_tools
from helpers.tools import installed_tool

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
DEMO = ROOT / "data" / "demo" / "demo.pcap"
SECONDS = 900
PRELUDE = """
ip link set lo up
mount --bind hosts /etc/hosts
answers() {
  for _ in $(seq 1800); do curl -skf -o /dev/null "$@" && return; sleep 0.1; done
  echo "$* does not answer"; exit 1
}
"""

pytestmark = [pytest.mark.needs_netns, pytest.mark.slow]


def blocks(document: str) -> list[str]:
    """Return the commands that a document shows."""
    text = (ROOT / "docs" / document).read_text()
    return [block.rstrip() for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)]


def typed(script: str, folder: Path, hosts: Sequence[str] = (), **environment: str) -> None:
    """Run a script in `folder`, with a network, hosts and processes of its own; all of these end with it."""
    require_tools("unshare", "curl")
    (folder / "hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename} {' '.join(hosts)}\n")
    own = {
        "STATE_DIR": str(folder / "var"),
        "LOG_DIR": str(folder / "logs"),
        "HOME": str(folder),
        "DEMO": "0",
    }
    path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    with (folder / "output.txt").open("wb") as output:
        ran = subprocess.run(
            [
                "unshare",
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "bash",
                "-ec",
                PRELUDE + script,
            ],
            cwd=folder,
            env=os.environ | own | path | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    assert ran.returncode == 0, (folder / "output.txt").read_text()[-10_000:]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short: Ray's sockets lie below it."""
    made = Path(tempfile.mkdtemp(prefix="mldoc"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_ray(folder: Path, pytestconfig: pytest.Config) -> None:
    rclone = installed_tool(pytestconfig, RCLONE, "rclone")
    here, s3, first, other, on_cluster, training, serving = blocks("ray.md")
    serve, ask = serving.splitlines()
    script = f"""
    {rclone} serve s3 --addr 127.0.0.1:9000 --vfs-cache-mode off --auth-key {",".join(S3_KEY)} buckets &
    for _ in $(seq 300); do curl -s -o /dev/null 127.0.0.1:9000 && break; sleep 0.1; done
    {here}
    {s3.replace("BUCKET", "one")}
    {first}
    {other}
    {on_cluster.replace("BUCKET", "two")}
    {training.replace("FOLDER", "flows")}
    {serve} &
    answers http://127.0.0.1:8000/ready
    {ask} > answer.json
    """
    for place in ("", "buckets/one", "buckets/two"):
        captures = folder / place / "captures"
        captures.mkdir(parents=True)
        for number in range(3):
            (captures / f"{number}.pcap").write_bytes(capture_bytes(number))
    (folder / "flows").mkdir()
    for name in ("office-101", "scans-101", "guessing-101"):
        (folder / "flows" / f"{name}.parquet").symlink_to(ROOT / "data" / "lab" / f"{name}.parquet")
    for each in ("deploy", "data"):
        (folder / each).symlink_to(ROOT / each)
    typed(script, folder, RAY_TMPDIR=str(folder / "ray"), **s3_environment("http://127.0.0.1:9000"))
    names = [f"{number}.pcap.parquet" for number in range(3)]
    results = [folder / place for place in ("scored", "buckets/one/scored", "buckets/two/scored")]
    same = ["start", "src_ip", "dst_port", "flow_duration", "verdict_code", "p_attack", "model_version"]
    for name in names:
        first, *others = [pq.read_table(result / name, columns=same).to_pylist() for result in results]
        assert len(first) == 5
        assert others == [first, first]
    assert json.loads((folder / "answer.json").read_text())["prediction"] != [0]
    told = (folder / "output.txt").read_text()
    assert told.count("3 captures scored") == 3
    assert "Token authentication is disabled" not in told


def test_scaling(folder: Path) -> None:
    require_tools("tcpreplay", "openssl")
    central, sensor = blocks("scaling.md")
    pair = make_pair(folder, "central", hosts=["central.example.org"])
    assert (pair.certificate.name, pair.key.name) == ("central.pem", "central.key")
    script = f"""
    ip link add sender type veth peer name sensor
    ip link set sender mtu 9000 up; ip link set sensor mtu 9000 up
    {central} &
    central=$!
    key() {{ tr '\\0' '\\n' < /proc/$central/environ | sed -n "s/^API_KEYS=.*$1:\\([0-9a-f]*\\).*/\\1/p"; }}
    answers https://central.example.org:8000/ready
    export STATE_DIR=$PWD/branch LOG_DIR=$PWD/branch-logs PORT=8001 CIC_INTERFACE=sensor
    {sensor.replace("REMOTE_SCORING_KEY=...", 'REMOTE_SCORING_KEY="$(key predict)"')} &
    answers http://127.0.0.1:8001/ready
    tcpreplay -q -i sender --multiplier 20 {DEMO}
    for _ in $(seq 600); do
      curl -sk -H "X-API-Key: $(key admin)" https://central.example.org:8000/api/sensors > sensors.json
      [ -s logs/positive_predictions.log ] && break
      sleep 0.1
    done
    """
    typed(script, folder, ["central.example.org"])
    line = json.loads((folder / "logs" / "positive_predictions.log").read_text().splitlines()[0])
    assert (line["sensor"], line["source"]) == ("branch-7", "sidecar")
    (told,) = json.loads((folder / "sensors.json").read_text())
    assert told["sensor"] == "branch-7"


@pytest.mark.parametrize("block", [0, 1], ids=["sagemaker", "url"])
def test_remote_model(folder: Path, block: int) -> None:
    (shown,) = blocks("remote-model.md")
    hosts = ["runtime.sagemaker.eu-west-1.amazonaws.com", "models.example.org"]
    pair = make_pair(folder, hosts=hosts)
    serve = (
        "import time; from pathlib import Path; from helpers.certificates import Pair;"
        "from helpers.remote_model import by_row, gateway;"
        "held = gateway(by_row(lambda row: 0.75, '7'), Pair(Path('server.pem'), Path('server.key')), 443);"
        "held.__enter__(); time.sleep(900)"
    )
    script = f"""
    PYTHONPATH={ROOT / "tests"}:$PYTHONPATH {sys.executable} -c "{serve}" &
    {shown.split(chr(10) * 2)[block]}
    ml-ids serve &
    answers http://127.0.0.1:8000/ready
    for _ in $(seq 600); do
      curl -s -H 'Content-Type: application/json' --data @{ROOT}/data/demo/flow.json \\
        http://127.0.0.1:8000/predict > answer.json
      grep -q '0.75' answer.json && break
      sleep 0.1
    done
    """
    keys = {"AWS_ACCESS_KEY": "AKIAREMOTE1234567890", "AWS_SECRET_KEY": "secret-key-of-the-tests"}
    quiet = {"START_CICFLOWMETER": "false", "SSL_CERT_FILE": str(pair.certificate)}
    typed(script, folder, hosts, **quiet, **(keys if block == 0 else {}))
    answer = json.loads((folder / "answer.json").read_text())
    name = ("sagemaker:ml-ids-classifier", "https://models.example.org")[block]
    assert answer["model"] == {"name": name, "version": "7"}
    assert answer["probability"] == [0.75]
