"""Source of the inference package that DCASE 2025 Task 1 asks for; the files are copied, not imported."""
