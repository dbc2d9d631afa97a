"""Readers of PyTorch and safetensors checkpoints; nothing from a file is run."""
