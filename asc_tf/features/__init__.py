"""Front ends: layers from waves to spectrograms. A file that defines `build` is a part, named as the file."""
