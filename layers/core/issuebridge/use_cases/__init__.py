"""In which order: one module for each thing the pipeline does."""
