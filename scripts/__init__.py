"""What a maintainer or a scientist runs now and then, beside the pipeline."""
