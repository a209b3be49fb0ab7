"""Which database servers a connection may reach.

The threats: a connection made by an assistant that reaches a server nobody allowed; a name that is allowed and
resolves to somewhere else, now or at the second look; a socket of the machine that is no part of the workspace.
The address that was checked is the one that is connected to.
"""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulk_sync_local.connectors import paths
from bulk_sync_local.connectors.base import Confinement, ConnectorError

_LOCAL_NAME = "localhost"


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect: `host` as given, for certificates, and the `address` (None: a socket in the folder `host`)."""

    host: str
    port: int
    address: str | None


def server(configuration: Mapping[str, Any], confinement: Confinement, default_port: int) -> Server:
    """The server a connection names. Raises `ConnectorError` when it may not be reached or does not resolve."""
    host, port = configuration.get("host"), configuration.get("port", default_port)
    if not isinstance(host, str) or not host or "\0" in host:
        raise ConnectorError("The setting host must be a non-empty text: the name or address of the server.")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise ConnectorError("The setting port must be a number from 1 to 65535.")
    if host.startswith("/"):
        return _socket(host, port, confinement)
    allowed = {_plain(one) for one in confinement.hosts}
    if _plain(host) not in allowed:
        raise ConnectorError(
            f"The host {host} is not one that connections may reach. Allowed: {', '.join(sorted(confinement.hosts))}. "
            "Choose one of these, or have it added to the allowed hosts."
        )
    return Server(host, port, _address(host, port, allowed))


def _plain(host: str) -> str:
    """One spelling for each name and address."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.casefold().removesuffix(".")


def _address(host: str, port: int, allowed: set[str]) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failure:
        raise ConnectorError(f"The host {host} cannot be resolved to an address. Check its spelling.") from failure
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    for address in addresses:
        if not _expected(host, ipaddress.ip_address(address.partition("%")[0]), allowed):
            raise ConnectorError(
                f"The host {host} resolves to {address}, which is not an address it is expected at. "
                "Check the name's entries, or give the address itself as host."
            )
    return _first_open(addresses, port)


def _expected(host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, allowed: set[str]) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if _plain(host) == str(address):
        return True
    if _plain(host) == _LOCAL_NAME or address.is_loopback:
        return _plain(host) == _LOCAL_NAME and address.is_loopback
    # Among these is the address where a cloud gives its machines credentials.
    return str(address) in allowed or not (address.is_link_local or address.is_multicast or address.is_unspecified)


def _first_open(addresses: list[str], port: int) -> str:
    """The first address that answers: `localhost` is often two, with a server at one of them."""
    for address in addresses[:-1]:
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            continue
        return address
    return addresses[-1]


def _socket(folder: str, port: int, confinement: Confinement) -> Server:
    real = paths.resolved(folder, confinement)
    paths.resolved(str(real / f".s.PGSQL.{port}"), confinement)
    if not real.is_dir():
        raise ConnectorError(f"There is no folder {folder} with a server's socket. Check the setting host.")
    return Server(str(real), port, None)
