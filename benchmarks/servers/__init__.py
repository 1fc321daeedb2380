"""The servers that `make bench NAME=serving` measures: the image's own, AWS's stack for scikit-learn, and FastAPI."""
