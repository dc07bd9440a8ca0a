"""The oracle: every feature, label and score computed in the most obvious way.

Loops, `math.fsum` and `fractions`; slow, plain and independent of the code under test.
"""
