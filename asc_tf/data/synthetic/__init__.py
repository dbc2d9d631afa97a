"""Synthetic acoustic scenes: their locations, sounds and devices, and the files they are written to."""
