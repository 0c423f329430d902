"""The only folder that may spell a FreeSWITCH string."""
