"""Downloads of published datasets."""
