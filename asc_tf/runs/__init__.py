"""Run folders: their layout, reading and writing."""
