"""Self-hosted conferences on FreeSWITCH that speak Twilio's Participants API."""
