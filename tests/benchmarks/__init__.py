"""Timings against PyTorch: `python -m tests.benchmarks` prints them, `pytest -m benchmark` holds the ratios."""
