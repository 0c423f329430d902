"""What serves HTTP: connections, forms, who asks, and the Flask app that asks the dialects."""
