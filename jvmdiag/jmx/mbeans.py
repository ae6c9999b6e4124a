"""The few calls of JMX that reading takes, by javax.management.remote.rmi: bytes, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jvmdiag.jmx.jrmp import REGISTRY_ID, Call, Method, RemoteRef
from jvmdiag.jmx.objects import NULL, instances, object_name, plain, string, strings
from jvmdiag.jmx.stream import BadStream, Value

Attributes = Mapping[str, str | int | float | None]
_NAME, _SUBJECT = "Ljavax/management/ObjectName;", "Ljavax/security/auth/Subject;"
_LOOKUP = Method("lookup(Ljava/lang/String;)Ljava/rmi/Remote;")
_NEW_CLIENT = Method("newClient(Ljava/lang/Object;)Ljavax/management/remote/rmi/RMIConnection;")
_QUERY = Method(f"queryNames({_NAME}Ljava/rmi/MarshalledObject;{_SUBJECT})Ljava/util/Set;")
_ATTRIBUTES = Method(f"getAttributes({_NAME}[Ljava/lang/String;{_SUBJECT})Ljavax/management/AttributeList;")
_CLOSE = Method("close()V", returns=False)


def lookup(name: str = "jmxrmi") -> Call:
    """Asks a registry for the agent's server."""
    return Call(REGISTRY_ID, _LOOKUP, string(name))


def new_client(server: RemoteRef, user: str | None, password: str | None) -> Call:
    """Asks for a connection: a remote object, which lives until it is closed, or two minutes after its last use."""
    return Call(server.object_id, _NEW_CLIENT, NULL if user is None else strings((user, password or "")))


def query_names(connection: RemoteRef, pattern: str) -> Call:
    return Call(connection.object_id, _QUERY, object_name(pattern) + NULL + NULL)


def get_attributes(connection: RemoteRef, name: str, attributes: Sequence[str]) -> Call:
    return Call(connection.object_id, _ATTRIBUTES, object_name(name) + strings(attributes) + NULL)


def close(connection: RemoteRef) -> Call:
    return Call(connection.object_id, _CLOSE)


def names_in(value: Value) -> tuple[str, ...]:
    """The names in the answer to `query_names`, sorted. Raises BadStream."""
    kind = "javax.management.ObjectName"
    written = [one.written.get(kind, ()) for one in instances(value) if one.kind.name == kind]
    names = [part[0] for part in written if part]
    if not all(isinstance(name, str) for name in names):
        raise BadStream("it holds a name that is none")
    return tuple(sorted(str(name) for name in names))


def attributes_in(value: Value) -> Attributes:
    """Those in the answer to `get_attributes`: what an MBean does not have is left out."""
    pairs = (one.fields for one in instances(value) if one.kind.name == "javax.management.Attribute")
    return {str(pair.get("name")): plain(pair.get("value")) for pair in pairs}
