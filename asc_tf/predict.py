"""`python -m asc_tf.predict`: the program of asc_tf.evaluation.predict."""

import sys

from asc_tf.evaluation.predict import main

if __name__ == "__main__":
    sys.exit(main())
