"""`python -m asc_tf.evaluate`: the program of asc_tf.evaluation.evaluate."""

import sys

from asc_tf.evaluation.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
