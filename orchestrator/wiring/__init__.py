"""Builds the parts that several processes have. What one of them alone has is built in `processes/`, where it runs."""
