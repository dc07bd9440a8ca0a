"""What somebody with MLflow alone does with a model; run as a script, since MLflow warns on import.

Arguments: the model's address, and rows as JSON. Prints what it is and what it says of them.
"""

import json
import sys

import mlflow.onnx
import mlflow.pyfunc
import pandas as pd

if __name__ == "__main__":
    address, rows = sys.argv[1], json.loads(sys.argv[2])
    model = mlflow.pyfunc.load_model(address)
    frame = pd.DataFrame(rows).astype({name: float for name in rows[0] if name != "product"})
    answer = {
        "inputs": model.metadata.get_input_schema().input_names(),
        "outputs": model.metadata.get_output_schema().input_names(),
        "metadata": model.metadata.metadata,
        "example": model.input_example.to_dict("records"),
        "of_example": model.predict(model.input_example)["probability"].tolist(),
        "probability": [
            None if pd.isna(value) else value for value in model.predict(frame)["probability"]
        ],
        "graph": mlflow.onnx.load_model(address).graph.name,
    }
    print(json.dumps(answer))
