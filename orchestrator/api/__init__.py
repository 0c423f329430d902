"""Serves HTTP: connections, forms, authentication, and the Flask app that hands requests to the dialects."""
