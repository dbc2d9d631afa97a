"""Front ends: from waves to spectrograms."""
