"""Datasets: a module each, whose function `listing` lists the labelled clips."""
