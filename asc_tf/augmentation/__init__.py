"""Augmentations: one file each, batched and stateless.

A file that defines `ON` and `apply` is a part, named as the file. `apply` is a pure function of a batch and a seed:
`apply(batch, seed, sample_rate_hz, *, ...)` where ON = "wave", `apply(batch, seed, *, ...)` where ON = "mel".

batch: dict with "wave" (batch, samples) or "mel" (batch, bands, frames, channels), "label" (batch, classes),
       "device" (batch,) strings and, where there are teachers, "teacher" (batch, classes) logits and "embedding"
       (batch, size). Of mixed clips these hold the targets of all components, (batch, components, ...), and "share"
       (batch, components) is each component's share of the clip, see _mixing.
seed:  (2,) int32; the same seed gives the same result.
p:     the share of the clips that are changed, or of the batches where a part draws once a batch.
"""
