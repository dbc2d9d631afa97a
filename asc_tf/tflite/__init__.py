"""TFLite files: reading, running, editing."""
