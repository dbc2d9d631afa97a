"""`python -m asc_tf.import_weights`: the program of asc_tf.training.imported_weights."""

import sys

from asc_tf.training.imported_weights import main

if __name__ == "__main__":
    sys.exit(main())
