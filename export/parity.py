"""`python -m export.parity`: the program of export.device.comparison."""

import sys

from export.device.comparison import main

if __name__ == "__main__":
    sys.exit(main())
