"""Augmentations: one file each, batched and stateless.

A part says `ON = "wave"` or `ON = "mel"` and defines `apply`, a pure function of a batch and a seed:
wave parts are `apply(batch, seed, sample_rate_hz, *, ...)`, mel parts `apply(batch, seed, *, ...)`.
batch: dict with "wave" (batch, samples) or "mel" (batch, bands, frames, 1), "label" (batch, classes),
"device" (batch,) strings and, where there are teachers, "teacher" (batch, classes).
seed:  (2,) int32; the same seed gives the same result.
"""
