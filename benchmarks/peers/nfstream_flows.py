"""Run in nfstream's own environment: count the flows of a capture, and time only the reading.

Arguments: the capture, and how many packets of a flow nDPI may dissect (20 is nfstream's default).
"""

import json
import sys
import time

from nfstream import NFStreamer


def main() -> None:
    capture, dissections = sys.argv[1], int(sys.argv[2])
    start = time.perf_counter()
    streamer = NFStreamer(source=capture, statistical_analysis=True, n_meters=1, n_dissections=dissections)
    flows = sum(1 for _ in streamer)
    print(json.dumps({"flows": flows, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
