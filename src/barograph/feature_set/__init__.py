"""One definition of every feature: the catalogue, its compiled kernels, and the machine."""
