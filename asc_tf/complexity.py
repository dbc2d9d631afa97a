"""`python -m asc_tf.complexity`: the program of asc_tf.cost.measure."""

import sys

from asc_tf.cost.measure import main

if __name__ == "__main__":
    sys.exit(main())
