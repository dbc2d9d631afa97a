"""`python -m asc_tf.train`: the program of asc_tf.training.fit."""

import sys

from asc_tf.training.fit import main

if __name__ == "__main__":
    sys.exit(main())
