"""Model training, and export of models as ONNX graphs."""
