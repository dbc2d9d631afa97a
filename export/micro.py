"""`python -m export.micro`: the program of export.device.micro_sources."""

import sys

from export.device.micro_sources import main

if __name__ == "__main__":
    sys.exit(main())
