"""The simulated FreeSWITCH, module by module."""
