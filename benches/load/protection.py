"""What requests have to pass before they are forwarded, in the words of each peer: annotations and nginx directives."""

import subprocess
from dataclasses import dataclass

PREFIX = "nginx.ingress.kubernetes.io/"
USER, PASSWORD = "ada", "correct horse"
# Nobody is refused by it; what is measured is the counting.
REQUESTS_PER_SECOND = 100_000
BURST = 5 * REQUESTS_PER_SECOND


@dataclass(frozen=True)
class Protection:
    """One kind of it. Texts may hold the @KEY@s of the configurations."""

    annotations: dict
    # Beside the servers, in a server, and in each location; nginx as ingress-nginx may need other words.
    http: str = ""
    server: str = ""
    location: str = ""
    ingress_server: str = ""
    ingress_location: str = ""
    # What the generator sends to pass.
    headers: tuple = ()
    # What is refused: a change of the headers that are sent (None removes one), and the status.
    refused: tuple = ()
    # Whether a service has to be asked.
    service: bool = False


def password_line():
    """A line of an htpasswd file with the hash that `htpasswd` makes by default."""
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True)
    return f"{USER}:{hashed.stdout.strip()}\n"


def basic():
    """Basic authentication, one user, always the same and right password."""
    directives = "auth_basic \"bench\"; auth_basic_user_file @RUN@/passwords;"
    return Protection(
        annotations={"auth-type": "basic", "auth-secret": "passwords", "auth-realm": "bench"},
        location=directives, ingress_location=directives + " proxy_set_header Authorization \"\";",
        headers=(("Authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2U="),),
        refused=({"Authorization": "Basic YWRhOndyb25n"}, 401))


def external():
    """A service says yes to each request; connections to it are kept, but by nginx as ingress-nginx, which keeps none."""
    plain = ("internal; proxy_pass_request_body off; proxy_set_header Content-Length \"\"; proxy_http_version 1.1;"
             " proxy_set_header X-Original-URL $scheme://$http_host$request_uri;")
    ingress = (" proxy_set_header X-Forwarded-Proto \"\"; proxy_set_header Host 127.0.0.1; proxy_set_header X-Original-Method $request_method;"
               " proxy_set_header X-Sent-From nginx-ingress-controller; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $remote_addr;"
               " proxy_set_header X-Request-ID $req_id; proxy_set_header X-Auth-Request-Redirect $request_uri; proxy_set_header Connection close;"
               " proxy_buffering off; proxy_buffer_size 4k; proxy_buffers 4 4k; set $target http://127.0.0.1:@SERVICE_PORT@/check; proxy_pass $target;")
    return Protection(
        annotations={"auth-url": "http://127.0.0.1:@SERVICE_PORT@/check"},
        http="upstream service { server 127.0.0.1:@SERVICE_PORT@; keepalive 320; keepalive_requests 10000; }",
        server=f"location = /_auth {{ {plain} proxy_set_header Connection \"\"; proxy_pass http://service/check; }}",
        location="auth_request /_auth;",
        ingress_server=f"location = /_auth {{ {plain}{ingress} }}",
        ingress_location="auth_request /_auth;",
        refused=({"X-Refuse": "1"}, 401), service=True)


def limit():
    """A limit of requests per second that is not reached."""
    zone = f"zone=bench:5m rate={REQUESTS_PER_SECOND}r/s;"
    use = f"limit_req zone=bench burst={BURST} nodelay;"
    return Protection(annotations={"limit-rps": str(REQUESTS_PER_SECOND)}, http=f"limit_req_zone $binary_remote_addr {zone}",
                      location=use, ingress_location=use)


NONE = Protection(annotations={})
