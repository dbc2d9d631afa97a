"""What does a network cost?  One file a way to count: by layers, by the profiler, in a .tflite file, in memory."""
