"""Low-complexity acoustic scene classification, from audio files to an int8 TFLite file."""

__version__ = "0.1.0"
