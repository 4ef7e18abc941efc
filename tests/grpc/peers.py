"""A gRPC server and a gRPC client, both of the official library; messages are bare bytes.

    peers.py serve [CERTIFICATE KEY]      prints its port; with a certificate it speaks TLS
    peers.py call ADDRESS AUTHORITY       calls the server behind a gateway, and ends with 0 if all is as it has to be
"""
import queue
import sys
from concurrent import futures

import grpc

COUNT = 200


def hello(message, context):
    if message == b"fail":
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")
    context.set_trailing_metadata((("x-trailer", "behind"),))
    return b"hello " + message


def chat(messages, context):
    for message in messages:
        yield message.upper()


def count(message, context):
    for number in range(int(message)):
        yield b"%d" % number


def add(messages, context):
    return b"%d" % sum(len(message) for message in messages)


def serve(certificate=None, key=None):
    handlers = {
        "Hello": grpc.unary_unary_rpc_method_handler(hello),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Add": grpc.stream_unary_rpc_method_handler(add),
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Greeter", handlers),))
    if certificate:
        pair = (open(key, "rb").read(), open(certificate, "rb").read())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()


def talk(channel):
    """A conversation in which each message waits for the answer to the one before."""
    answered = queue.Queue()

    def messages():
        for number in range(COUNT):
            yield b"message %d" % number
            answered.get(timeout=10)

    heard = []
    for answer in channel.stream_stream("/test.Greeter/Chat")(messages(), timeout=20):
        heard.append(answer)
        answered.put(None)
    return heard


def call(address, authority):
    options = [("grpc.default_authority", authority)]
    with grpc.insecure_channel(address, options=options) as channel:
        unary = channel.unary_unary("/test.Greeter/Hello")
        answer, done = unary.with_call(b"you", timeout=20)
        assert answer == b"hello you", answer
        assert ("x-trailer", "behind") in done.trailing_metadata(), done.trailing_metadata()
        try:
            unary(b"fail", timeout=20)
            raise AssertionError("it did not fail")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.PERMISSION_DENIED, error
            assert error.details() == "not you", error
        assert talk(channel) == [b"MESSAGE %d" % number for number in range(COUNT)]
        counted = list(channel.unary_stream("/test.Greeter/Count")(b"1000", timeout=20))
        assert counted == [b"%d" % number for number in range(1000)], len(counted)
        pieces = (b"x" * 10_000 for _ in range(50))
        assert channel.stream_unary("/test.Greeter/Add")(pieces, timeout=20) == b"500000"
        calls = [unary.future(b"%d" % number, timeout=20) for number in range(100)]
        assert [one.result() for one in calls] == [b"hello %d" % number for number in range(100)]


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
