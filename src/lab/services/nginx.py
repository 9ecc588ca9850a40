"""nginx: a shop's static files, and its application behind it."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from lab.programs import Program
from lab.services.service import Service, Setting

NGINX: Final = Program("nginx", "nginx")
OPENSSL: Final = Program("openssl", "openssl")
APPLICATION_PORT: Final = 8081
FILES: Final = {
    "index.html": (2_000, 12_000),
    "news.html": (8_000, 40_000),
    "style.css": (3_000, 20_000),
    "script.js": (10_000, 90_000),
    "small.png": (500, 4_000),
    "photo.jpg": (20_000, 120_000),
    "large.jpg": (150_000, 700_000),
    "update.deb": (1_000_000, 4_000_000),
    "film.mp4": (6_000_000, 12_000_000),
}
"""Names of files and the limits of their sizes in bytes."""

_CONFIGURATION: Final = """\
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  server_tokens off;
  types {{ text/html html; text/css css; application/javascript js; image/png png; image/jpeg jpg; }}
  default_type application/octet-stream;
  keepalive_timeout {keep_alive}s;
  client_header_timeout {patience}s;
  client_body_timeout {patience}s;
  client_max_body_size 64m;
  sendfile {sendfile};
  gzip {gzip};
  gzip_types text/css application/javascript;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  server {{
    listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
    ssl_certificate {place}/cert.pem;
    ssl_certificate_key {place}/key.pem;
    root {place}/files;
    location /app/ {{ proxy_pass http://127.0.0.1:{application}/; proxy_buffering off; }}
  }}
}}
"""


def set_up(setting: Setting) -> list[list[str]]:
    """Write files, a certificate and the configuration."""
    place, rng = setting.place, setting.rng
    files = place / "files"
    files.mkdir()
    for name, limits in FILES.items():
        (files / name).write_bytes(rng.randbytes(rng.randint(*limits)))
    _certificate(setting)
    configuration = place / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            place=place,
            connections=rng.choice((256, 512, 1024)),
            keep_alive=rng.choice((5, 15, 65)),
            patience=rng.choice((10, 30, 60)),
            sendfile=rng.choice(("on", "off")),
            gzip=rng.choice(("on", "off")),
            application=APPLICATION_PORT,
        )
    )
    application = [
        sys.executable,
        "-m",
        "lab.services.weak_site",
        str(APPLICATION_PORT),
        str(rng.getrandbits(32)),
    ]
    return [
        application,
        ["nginx", "-p", str(place), "-e", str(place / "error.log"), "-c", str(configuration)],
    ]


def _certificate(setting: Setting) -> None:
    subprocess.run(
        [
            *(OPENSSL.required(), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", "/CN=shop.lab.test", "-keyout", str(setting.place / "key.pem")),
            *("-out", str(setting.place / "cert.pem")),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )


SERVICE: Final = Service("nginx", NGINX, set_up, (("tcp", 80), ("tcp", 443), ("tcp", APPLICATION_PORT)))
