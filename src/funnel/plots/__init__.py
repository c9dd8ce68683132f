"""Pictures of results: one function a picture, `(result, ax=None) -> Axes`.

One module a question, under the question's name. Import them late: the arithmetic never needs
matplotlib.
"""
