"""Page templates of the evaluation reports."""
