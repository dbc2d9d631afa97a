"""From a file of anybody's weights to a run."""
