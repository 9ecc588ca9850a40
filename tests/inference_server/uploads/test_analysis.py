from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson

from capture.files import CaptureFile
from context.stage import ContextStage
from detection.package import load_package
from flows.table import FlowTable, concat_tables
from helpers.context_models import make_context_package
from helpers.packets import connection, pcap, tcp, write_capture
from inference_server.uploads.analysis import Analysis, Job


def test_flows_have_their_context_when_the_model_reads_it(tmp_path: Path) -> None:
    scorer = load_package(make_context_package(tmp_path))
    packets = [*connection(), *connection(1_000_000, port=40_001), tcp(90_000_000, "S")]
    capture = write_capture(tmp_path / "a.pcap", pcap(packets))
    job = Job(
        capture=capture,
        verdicts=tmp_path / "verdicts",
        name="a.pcap",
        sensor="test",
        state_dir=tmp_path,
        registry="",
        model_uri="",
        allow_pickle=False,
        model_name="",
        model_version="",
        threshold=0.5,
        max_ratio=100,
        max_verdict_bytes=1 << 20,
    )
    seen: list[FlowTable] = []
    score = scorer.score
    scorer.score = lambda table: (seen.append(table), score(table))[1]
    Analysis(job, scorer).run()
    file = CaptureFile(capture, starts=True)
    expected = concat_tables(list(ContextStage().complete(file.tables(), file.take_starts)))
    found = concat_tables(seen)
    assert found.feature_names == expected.feature_names
    np.testing.assert_array_equal(found.features, expected.features)
    lines = [orjson.loads(line) for line in job.verdicts.read_bytes().splitlines()]
    given = np.array([line["p_attack"] for line in lines], float)
    np.testing.assert_array_equal(given, score(expected).p_attack)
