"""Limits of the DCASE challenge for a network's size and computation.

Source: DCASE 2024 Challenge, Task 1, system complexity requirements: 128 kB for the parameters (128,000
of int8) and 30 million multiply-accumulate operations for one second of audio.
"""

MAX_BYTES = 128_000
MAX_MACS = 30_000_000
