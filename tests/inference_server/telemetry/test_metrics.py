from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from detection.drift import DriftStatus
from detection.shadow import ShadowStatus
from detection.watcher import ModelStatus
from helpers.models import make_scorer
from helpers.status import CENTRAL, make_status
from inference_server.telemetry.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _samples(metrics: Metrics) -> Samples:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_numbers_are_the_services() -> None:
    samples = _samples(Metrics(lambda: make_status(make_scorer())))
    eth0 = ("interface", "eth0")
    assert samples["mlids_packets_total", (eth0,)] == 100
    assert samples["mlids_packets_ignored_total", (eth0, ("reason", "arp"))] == 7
    assert samples["mlids_flows_emitted_total", (eth0, ("reason", "fin"))] == 8
    assert samples["mlids_flows_dropped_total", (eth0,)] == 3
    assert samples["mlids_flows_emitted_early_total", (eth0,)] == 4
    assert samples["mlids_scoring_queue_capacity_flows", ()] == 64
    assert samples["mlids_sink_queue_capacity_flows", ()] == 100
    assert samples["mlids_flows_shed_total", (("reason", "queue full"),)] == 4
    assert samples["mlids_log_lines_written_total", (("file", "application.log"),)] == 5
    assert samples["mlids_thread_running", (("thread", "capture-eth0"),)] == 1
    assert samples["mlids_model_loaded", ()] == 1
    assert samples["mlids_archive_flows_dropped_total", (("reason", "queue full"),)] == 3
    assert samples["mlids_archive_bytes", ()] == 4000
    portscan = (("label", "Portscan"), ("result", "attack"), ("source", "sidecar"))
    assert samples["mlids_predictions_total", portscan] == 2
    assert samples["mlids_attacks_aggregated_total", ()] == 5
    assert samples["mlids_attacks_suppressed_total", (("reason", "our scanner"),)] == 4
    assert samples["mlids_attacks_unalerted_total", ()] == 1
    assert samples["mlids_alerts_total", (("state", "opened"),)] == 3
    assert samples["mlids_alerts_total", (("state", "closed"),)] == 2
    assert samples["mlids_alerts_closed_total", (("reason", "window"),)] == 1
    assert samples["mlids_alerts_open", ()] == 1
    assert samples["mlids_alert_explanations_total", (("outcome", "over budget"),)] == 1
    assert samples["mlids_alert_messages_failed_total", (("consumer", "alerts.json"),)] == 1
    assert samples["mlids_alert_rules_current", ()] == 1
    assert samples["mlids_evidence_files_written_total", ()] == 3
    assert samples["mlids_evidence_files_missing_total", (("reason", "over budget"),)] == 1
    assert samples["mlids_evidence_files_bytes", ()] == 700
    assert samples["mlids_flow_table_bytes", (eth0,)] == 40_000
    assert samples["mlids_ring_bytes", (eth0,)] == 60_000
    assert samples["mlids_resident_bytes", ()] == 300_000_000
    (model,) = [labels for name, labels in samples if name == "mlids_model_info"]
    assert dict(model)["version"] == "1"


def test_identities_hold() -> None:
    samples = _samples(Metrics(lambda: make_status(make_scorer())))

    def total(name: str) -> float:
        return sum(value for (sample, _), value in samples.items() if sample == f"mlids_{name}")

    assert total("packets_total") == sum(
        map(total, ("packets_metered_total", "packets_late_total", "packets_ignored_total"))
    )
    split = total("segments_total") - total("frames_merged_total")
    assert total("packets_total") == total("frames_total") + split
    assert total("flows_opened_total") == sum(
        map(total, ("flows_emitted_total", "flows_dropped_total", "flows_live"))
    )
    assert total("alert_messages_total") == total("alert_messages_failed_total") + sum(
        samples[f"mlids_log_lines_{outcome}_total", (("file", "alerts.json"),)]
        for outcome in ("written", "lost")
    )
    assert total("flows_handed_over_total") == sum(
        map(total, ("flows_scored_total", "flows_shed_total", "scoring_queue_flows"))
    )


def test_a_challenger_is_counted_by_both_labels() -> None:
    shadow = ShadowStatus("ml-ids", "2", "1", 90, {("benign", "Portscan"): 3}, 5, {"busy": 7}, None)
    samples = _samples(Metrics(lambda: make_status(make_scorer(), shadow=shadow)))
    assert samples["mlids_challenger_flows_total", ()] == 90
    labels = (("challenger", "Portscan"), ("champion", "benign"))
    assert samples["mlids_challenger_disagreements_total", labels] == 3
    assert samples["mlids_challenger_flows_skipped_total", (("reason", "busy"),)] == 7


def test_drift_is_told_by_feature_once_it_is_known() -> None:
    drift = DriftStatus(800, {"idle_mean": 0.7, "flow_duration": 0.1})
    samples = _samples(Metrics(lambda: make_status(make_scorer(), drift=drift)))
    assert samples["mlids_drift_share", ()] == 0.5
    assert samples["mlids_feature_psi", (("feature", "idle_mean"),)] == 0.7
    samples = _samples(Metrics(lambda: make_status(make_scorer(), drift=DriftStatus(3, {}))))
    assert "mlids_drift_share" not in {name for name, _ in samples}


def test_without_a_model_there_is_no_model_info() -> None:
    samples = _samples(Metrics(lambda: make_status(None)))
    assert samples["mlids_model_loaded", ()] == 0
    assert "mlids_model_info" not in {name for name, _ in samples}


def test_the_challenger_and_the_last_check() -> None:
    champion, challenger = make_scorer(), make_scorer(version="2")
    model = ModelStatus(champion=champion, challenger=challenger, source="cache", failures=3)
    samples = _samples(Metrics(lambda: make_status(champion, model=model)))
    versions = {
        (name, dict(labels)["version"]): value for (name, labels), value in samples.items() if "_info" in name
    }
    assert versions == {("mlids_model_info", "1"): 1, ("mlids_challenger_info", "2"): 1}
    assert samples["mlids_model_from_cache", ()] == 1
    assert samples["mlids_model_load_failures_total", ()] == 3
    assert "mlids_model_checked_timestamp_seconds" not in {name for name, _ in samples}
    model = replace(model, source="registry", checked_at=1_767_603_600.0)
    samples = _samples(Metrics(lambda: make_status(champion, model=model)))
    assert samples["mlids_model_from_cache", ()] == 0
    assert samples["mlids_model_checked_timestamp_seconds", ()] == 1_767_603_600.0


def test_latency_is_observed() -> None:
    metrics = Metrics(lambda: make_status(None))
    metrics.prediction_latency.observe(0.003)
    samples = _samples(metrics)
    assert samples["mlids_prediction_latency_seconds_count", ()] == 1
    assert samples["mlids_prediction_latency_seconds_bucket", (("le", "0.005"),)] == 1
    assert samples["mlids_prediction_latency_seconds_bucket", (("le", "0.002"),)] == 0


def test_flows_on_their_way_to_a_central_service_are_counted() -> None:
    central = replace(CENTRAL, dropped={"spool full": 3}, lost={"memory full": 2})
    text = Metrics(lambda: make_status(None, central=central)).exposition().decode()
    for line in (
        "mlids_central_flows_total 100.0",
        "mlids_central_flows_delivered_total 90.0",
        'mlids_central_flows_dropped_total{reason="spool full"} 3.0',
        'mlids_central_flows_dropped_total{reason="memory full"} 2.0',
        "mlids_central_flows_waiting 10.0",
        "mlids_central_back_pressure_total 1.0",
    ):
        assert line in text
