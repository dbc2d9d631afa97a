"""Trained runs, ready to be used in any of their forms."""
