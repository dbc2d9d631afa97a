"""Quantisation-aware training, post-training quantisation, TFLite conversion."""
