"""What browsers are told to keep from doing with our answers."""

from __future__ import annotations

from typing import Final

Headers = tuple[tuple[bytes, bytes], ...]
DOCUMENTATION: Final = "/docs"
DASHBOARD: Final = "/dashboard"
HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


def _headers(policy: str, referrer: str) -> Headers:
    return (
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", referrer.encode()),
        (b"cross-origin-resource-policy", b"same-origin"),
    )


DATA_HEADERS: Final = _headers(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", "no-referrer"
)
DOCUMENTATION_HEADERS: Final = _headers(
    # Swagger UI starts from a script in its page.
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "no-referrer",
)
DASHBOARD_HEADERS: Final = _headers(
    # NiceGUI's pages compile Vue templates and hold their state in a script.
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    "same-origin",
)


def security_headers(path: str, scheme: str) -> Headers:
    """Return the headers of an answer at `path`; browsers keep to HTTPS where that is what they used."""
    if path.startswith(DASHBOARD):
        headers = DASHBOARD_HEADERS
    elif path.startswith(DOCUMENTATION):
        headers = DOCUMENTATION_HEADERS
    else:
        headers = DATA_HEADERS
    return (*headers, HSTS) if scheme == "https" else headers
