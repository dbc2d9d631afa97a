"""What a device needs: waveform TFLite file, C sources, comparison of all forms of a run."""
