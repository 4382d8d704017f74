"""What forewarn costs, measured by itself: ``forewarn bench``; the figures: docs/benchmarks.md."""
