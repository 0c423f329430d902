"""Programs that use the clients people already have, unmodified. `make clients` installs those clients."""
