"""Training: fit, callbacks, teachers, initial weights, distribution."""
