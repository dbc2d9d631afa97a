"""`python -m export.tflite`: the program of export.quantisation.convert."""

import sys

from export.quantisation.convert import main

if __name__ == "__main__":
    sys.exit(main())
