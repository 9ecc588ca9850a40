"""`python -m lab.services.chat PORT`: a websocket server that answers, and says something now and then."""

from __future__ import annotations

import random
import sys

from websockets.sync.server import ServerConnection, serve

MAX_QUIET_SECONDS = 3.0


def answer(connection: ServerConnection) -> None:
    """Answer what is said, and break the silence with news."""
    while True:
        try:
            said = connection.recv(timeout=random.uniform(0.5, MAX_QUIET_SECONDS))
        except TimeoutError:
            said = "news " * random.randint(1, 80)
        connection.send(said)


if __name__ == "__main__":
    with serve(answer, "0.0.0.0", int(sys.argv[1])) as server:
        server.serve_forever()
