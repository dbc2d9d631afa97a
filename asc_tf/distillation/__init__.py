"""Losses from teachers, their stored outputs, and the student that learns from them."""
