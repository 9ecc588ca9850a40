from __future__ import annotations

import threading
from queue import Queue

from inference_server.model_loader import ModelLoader


def test_retries_until_a_model_comes() -> None:
    attempts = iter([ConnectionError("registry is down"), ValueError("bad package"), None])
    loaded: Queue[str] = Queue()

    def load() -> str:
        if error := next(attempts):
            raise error
        return "model"

    loader = ModelLoader(load, loaded.put, back_off=(0.01, 0.02))
    assert loader.error == "the model is being loaded"
    loader.start()
    assert loaded.get(timeout=30) == "model"
    deadline = threading.Event()
    while loader.error is not None:
        assert not deadline.wait(0.01)
    assert loader.failures == 2


def test_says_why_there_is_no_model() -> None:
    failed = threading.Event()

    def load() -> str:
        failed.set()
        raise ConnectionError("registry is down")

    loader = ModelLoader(load, lambda _: None, back_off=(0.01, 0.01))
    loader.start()
    assert failed.wait(30)
    while loader.failures < 2:
        threading.Event().wait(0.01)
    assert loader.error == "registry is down"
    loader.stop()


def test_a_model_that_comes_after_the_stop_is_not_used() -> None:
    loading, go_on = threading.Event(), threading.Event()
    loaded: list[str] = []

    def load() -> str:
        loading.set()
        go_on.wait(30)
        return "model"

    loader = ModelLoader(load, loaded.append)
    loader.start()
    assert loading.wait(30)
    loader.stop()
    go_on.set()
    while loader.error is not None:
        threading.Event().wait(0.01)
    assert loaded == []
