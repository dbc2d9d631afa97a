"""Microphones that no one has measured."""
