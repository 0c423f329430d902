"""Our own API, for what Twilio has no words for: /v1/Accounts/{AccountSid}/Callbacks, Receivers and Keys."""
