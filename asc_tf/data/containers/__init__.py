"""Containers of audio: where the sound of a file begins and ends, whatever its header states."""
