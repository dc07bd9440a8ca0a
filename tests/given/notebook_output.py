"""What the cells of a notebook that ran have printed."""


def printed(cells, stream="stdout"):
    return "".join(
        output.text
        for cell in cells
        for output in cell.outputs
        if output.output_type == "stream" and output.name == stream
    )
