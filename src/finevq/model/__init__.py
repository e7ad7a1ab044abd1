"""The boxes of the paper's figure 5 and the model that joins them; torch lives here."""
