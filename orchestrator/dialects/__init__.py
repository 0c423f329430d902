"""A dialect is a language: requests in, answers and callbacks out. Each has the same file names.

Dialects today: twilio (JSON).
"""
