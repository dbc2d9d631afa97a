"""Metrics as the DCASE challenge computes them."""
