"""Every sentence that a model reads or writes."""
