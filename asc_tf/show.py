"""`python -m asc_tf.show`: the program of asc_tf.evaluation.show."""

import sys

from asc_tf.evaluation.show import main

if __name__ == "__main__":
    sys.exit(main())
