"""The cases that the engine carries; each is one file that binds words, labels and models."""
