"""Losses from teachers, their stored outputs, and the student that learns from them."""

from asc_tf import keras_settings

keras_settings.settle()
