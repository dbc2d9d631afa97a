"""Augmentations: one file each, batched and stateless.

A part says `ON = "wave"` or `ON = "mel"` and defines `apply`, a pure function of a batch and a seed:
wave parts are `apply(batch, seed, sample_rate_hz, *, ...)`, mel parts `apply(batch, seed, *, ...)`.
batch: dict with "wave" (batch, samples) or "mel" (batch, bands, frames, channels), "label" (batch, classes),
"device" (batch,) strings and, where there are teachers, "teacher" (batch, classes) logits. Parts that mix
clips leave the logits of all voices in "teacher" (batch, voices, classes) and their shares of the clip
in "share" (batch, voices).
seed:  (2,) int32; the same seed gives the same result.
`p` is a share of the clips, or of the batches where a part draws once a batch.
"""
