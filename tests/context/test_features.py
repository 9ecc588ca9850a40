from __future__ import annotations

from context.features import CONTEXT, CONTEXT_NAMES


def test_names_say_whose_what_and_how_long() -> None:
    assert len(CONTEXT_NAMES) == len(set(CONTEXT_NAMES)) == 3 * (8 + 8 + 7)
    assert CONTEXT_NAMES[:3] == ("src_flows_2s", "src_peers_2s", "src_ports_2s")
    assert "pair_peers_2s" not in CONTEXT_NAMES
    assert CONTEXT_NAMES[-1] == "pair_asymmetry_60s"


def test_every_feature_is_explained() -> None:
    told = {feature.name: feature.formula for feature in CONTEXT}
    assert told["dst_reset_10s"] == "share with a RST; flows to the same destination, 10 s"
    assert all(feature.unit for feature in CONTEXT)
