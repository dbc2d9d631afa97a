"""Datasets, prepared clips and batches."""
