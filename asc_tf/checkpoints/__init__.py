"""Readers of files of weights; nothing from a file is run."""
