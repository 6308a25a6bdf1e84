"""How good answers are: MIREX scores, calibration, comparison, reports."""
