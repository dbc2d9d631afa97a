"""How does a trained network get onto a device?  Quantisation-aware training, int8 TFLite, parity."""
