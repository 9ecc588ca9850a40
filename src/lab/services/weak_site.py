"""`python -m lab.services.weak_site PORT SEED`: a shop's application with deliberate weaknesses.

It listens on loopback of a lab host only. Searching and logging in put what was asked into SQL as it is,
answers show it as it is, and nobody is stopped from guessing passwords.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

WORDS: Final = ("lamp", "table", "chair", "shelf", "carpet", "mirror", "clock", "vase", "stool", "desk")
MAX_DOWNLOAD: Final = 20_000_000
PASSWORD: Final = "summer2019"


def shop(seed: int) -> sqlite3.Connection:
    """Return a database of products and users."""
    rng = random.Random(seed)
    database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    database.execute("CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, price REAL, text TEXT)")
    database.execute("CREATE TABLE customer (name TEXT, password TEXT)")
    database.execute("CREATE TABLE comment (text TEXT)")
    for number in range(1, 200):
        text = " ".join(rng.choices(WORDS, k=rng.randint(10, 60)))
        row = (number, f"{rng.choice(WORDS)} {number}", round(rng.uniform(5, 900), 2), text)
        database.execute("INSERT INTO product VALUES (?, ?, ?, ?)", row)
    for name in ("admin", "anna", "bert"):
        database.execute("INSERT INTO customer VALUES (?, ?)", (name, PASSWORD))
    return database


class Shop(BaseHTTPRequestHandler):
    """Answers requests; all of them share one database."""

    protocol_version = "HTTP/1.1"
    database: sqlite3.Connection
    timeout = 60

    def do_GET(self) -> None:
        """Answer with a page."""
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/download":
            self._answer(200, bytes(min(int(asked.get("size", "1000")), MAX_DOWNLOAD)))
        elif url.path == "/search":
            wanted = asked.get("q", "")
            self._rows(f"SELECT name, price FROM product WHERE name LIKE '%{wanted}%'", wanted)
        elif url.path == "/product":
            self._rows(f"SELECT name, price, text FROM product WHERE id = {asked.get('id', '1')}", "")
        elif url.path in ("/", "/comments"):
            self._rows("SELECT text FROM comment ORDER BY rowid DESC LIMIT 20", "news")
        else:
            self._answer(404, b"not here")

    def do_POST(self) -> None:
        """Take a form, or whatever is sent."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = urlsplit(self.path).path
        if path == "/login":
            form = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
            found = self._ask(
                f"SELECT name FROM customer WHERE name = '{form.get('user', '')}' "
                f"AND password = '{form.get('password', '')}'"
            )
            self._answer(200, b"welcome" if found else b"wrong password")
        elif path == "/comments":
            self.database.execute("INSERT INTO comment VALUES (?)", (body.decode(errors="replace")[:2000],))
            self._answer(200, b"thank you")
        else:
            self._answer(200, f"{len(body)} bytes".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads a log."""

    def _ask(self, question: str) -> list[tuple[object, ...]]:
        return self.database.execute(question).fetchall()

    def _rows(self, question: str, shown: str) -> None:
        try:
            rows = self._ask(question)
        except sqlite3.Error as error:
            self._answer(500, f"{question}: {error}".encode())
            return
        lines = "".join(f"<li>{' '.join(map(str, row))}</li>" for row in rows)
        self._answer(200, f"<html><body><h1>{shown}</h1><ul>{lines}</ul></body></html>".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(port: int, seed: int) -> None:
    """Serve until told to stop."""
    Shop.database = shop(seed)
    ThreadingHTTPServer(("127.0.0.1", port), Shop).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
