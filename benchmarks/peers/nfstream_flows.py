"""Run in nfstream's own environment: count the flows of a capture, and time only the reading."""

import json
import sys
import time

from nfstream import NFStreamer


def main() -> None:
    start = time.perf_counter()
    flows = sum(1 for _ in NFStreamer(source=sys.argv[1], statistical_analysis=True, n_meters=1))
    print(json.dumps({"flows": flows, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
