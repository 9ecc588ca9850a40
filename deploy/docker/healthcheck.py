"""Exit 0 when the service of this container is ready."""

import os
import ssl
import sys
from urllib.request import urlopen

secure = bool(os.environ.get("TLS_CERT_FILE"))
url = f"{'https' if secure else 'http'}://127.0.0.1:{os.environ.get('PORT') or 8000}/ready"
try:
    # The certificate names the host, not the loopback.
    urlopen(url, timeout=4, context=ssl._create_unverified_context() if secure else None)
except OSError as error:
    sys.exit(f"{url}: {error}")
