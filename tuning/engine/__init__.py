"""The search itself: space, limits, choice of settings, trials and their records."""
