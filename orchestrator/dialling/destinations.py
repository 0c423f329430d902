"""From a `To` to where it is dialled: by the operator's routes, and for `sip:` by the operator's rules for hosts."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Final

import gevent
import structlog

from orchestrator.errors import BadParameter
from orchestrator.freeswitch.dial_string import (
    NOWHERE,
    Destination,
    Routes,
    destination_of,
    route_uri,
    trunk_destination,
)
from orchestrator.freeswitch.sip_uri import SipUri
from orchestrator.outgoing.names import is_literal
from orchestrator.outgoing.sip_targets import SipTargets, TargetRefused
from orchestrator.trunks import Trunk

LOOKUP_SECONDS: Final = 1.0
"""For all that DNS is asked about one `To`."""

log = structlog.get_logger("dialling")


class Destinations:
    """Finds where calls go."""

    def __init__(self, routes: Routes, sip_targets: SipTargets) -> None:
        self._routes = routes
        self._sip_targets = sip_targets

    def find(self, to: str) -> Destination:
        """Find where a checked `To` is dialled; the server of a `sip:` is looked up here, and by nobody afterwards.

        An address that may not be called is refused. A name is taken, and its call fails, whether DNS does not know it,
        or does not answer, or leads where no call may go: a client learns nothing of names in the operator's network.
        Raises BadParameter (21211, 21214, 21216).
        """
        destination = destination_of(to, self._routes)
        uri = destination.uri
        if uri is None:
            return destination
        try:
            self._sip_targets.check_host(uri.host)
            if is_literal(uri.host) and destination.is_direct:
                self._sip_targets.check_address(uri.host)
        except TargetRefused as error:
            raise BadParameter("To: calls to this host are not allowed", code=21216) from error
        return self._located(destination, uri) if destination.is_direct else destination

    def find_by(self, trunk: Trunk, to: str) -> Destination:
        """Find where a checked `To` is dialled by a trunk: its gateways are the operator's, so nothing of them is
        checked.

        Raises BadParameter (21300).
        """
        return trunk_destination(to, [gateway.address for gateway in trunk.in_order()], self._routes)

    def _located(self, destination: Destination, uri: SipUri) -> Destination:
        try:
            with gevent.Timeout(LOOKUP_SECONDS, TargetRefused("DNS does not answer in time")):
                target = self._sip_targets.find(uri.host, uri.port, uri.transport)
        except (TargetRefused, socket.gaierror) as error:
            log.warning("sip_target_refused", host=uri.host[:100], error=str(error)[:200])
            return replace(destination, dialled=NOWHERE)
        return replace(destination, server=route_uri(target.address, target.port, target.transport))
