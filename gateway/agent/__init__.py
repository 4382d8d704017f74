"""This machine as a device: what it measures of itself, and the tests it runs when it is asked."""
