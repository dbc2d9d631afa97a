"""Datasets: lists of labelled clips."""
