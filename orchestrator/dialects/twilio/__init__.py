"""Twilio's API of 2010-04-01 in JSON: https://www.twilio.com/docs/voice/api/conference-participant-resource"""
