from __future__ import annotations

import numpy as np

from inference_server.telemetry.resident import resident_bytes


def test_what_is_touched_is_resident() -> None:
    before = resident_bytes()
    touched = np.ones(64_000_000, np.uint8)
    assert resident_bytes() - before > touched.nbytes // 2
