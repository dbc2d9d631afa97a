"""Downloading and unpacking published datasets."""
