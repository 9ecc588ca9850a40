from __future__ import annotations

import orjson

from inference_server.dashboard.capture_verdicts import READ_AT_ONCE, SHOWN, AttackVerdicts


def lines(*labels: str) -> list[bytes]:
    return [orjson.dumps({"label": label, "insufficient": label == "insufficient"}) for label in labels]


def test_only_attacks_are_kept_and_what_was_read_is_not_read_again() -> None:
    written = lines("benign", "DoS Hulk", "insufficient")
    verdicts = AttackVerdicts(lambda after, limit: written[after : after + limit])
    verdicts.read_on()
    written += lines("Portscan")
    verdicts.read_on()
    assert [verdict["label"] for verdict in verdicts.attacks] == ["DoS Hulk", "Portscan"]
    assert verdicts.read == 4


def test_no_more_is_kept_than_is_shown() -> None:
    written = lines(*["benign"] * READ_AT_ONCE, *["DoS Hulk"] * (SHOWN + 5))
    verdicts = AttackVerdicts(lambda after, limit: written[after : after + limit])
    verdicts.read_on()
    assert len(verdicts.attacks) == SHOWN
    assert verdicts.full
