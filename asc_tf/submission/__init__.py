"""Packages for the DCASE challenge, Task 1: written from runs, and checked before they are sent."""
