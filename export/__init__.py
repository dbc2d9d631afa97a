"""Quantisation and device files of trained runs.  Quantisation-aware training, int8 TFLite, parity."""
