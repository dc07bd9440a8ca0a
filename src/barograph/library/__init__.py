"""The library behind `import barograph`: frames in, features, labels, splits and homes.

Its public names stand in `barograph.__all__`; the modules here may change.
"""
