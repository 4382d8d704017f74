"""The rules engine: signals, expressions, lanes, findings. Pure: values in, values out."""
