"""Pure functions of arrays: ranking, classification, intervals, word error rate."""
