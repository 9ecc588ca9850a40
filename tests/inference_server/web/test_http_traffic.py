from __future__ import annotations

from inference_server.web.http_traffic import HttpStatus, HttpTraffic

SCOPE = {"path": "/p"}


def test_counts_what_runs_and_how_it_ended() -> None:
    traffic = HttpTraffic(2)
    assert [traffic.begin("/p") for _ in range(3)] == [True, True, False]
    traffic.begin_socket()
    traffic.end(SCOPE, "id", 503, 0.0, 0)
    traffic.end(SCOPE, "id", None, 0.0, 0)
    assert traffic.status() == HttpStatus(1, 2, 1, {503: 1, 499: 1}, log_running=True)
    traffic.end_socket(SCOPE, "id", 101, 1.0)
    assert traffic.status().answered[101] == 1


def test_health_checks_are_always_answered() -> None:
    traffic = HttpTraffic(1)
    traffic.begin("/p")
    assert all(traffic.begin(path) for path in ("/health", "/ready", "/ping", "/metrics"))
    assert not traffic.begin("/healthy")
