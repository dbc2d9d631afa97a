"""Prepared clips: decoded and resampled once, stored as int16 shards."""
