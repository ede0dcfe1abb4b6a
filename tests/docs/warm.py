"""Runs `connector …` for the pages' tests: a process that has everything imported forks once per command.

`python warm.py SOCKET` is that process, until its standard input ends; `python warm.py SOCKET ARGUMENTS…` has it run a
command with the caller's arguments, environment, directory and streams. A page has dozens of commands, and to import
takes most of a second.
"""

import json
import os
import select
import signal
import socket
import sys


def ask(path: str, arguments: list[str]) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        told = json.dumps([arguments, dict(os.environ), os.getcwd()]).encode()  # noqa: PTH109 - pathlib would cost more
        socket.send_fds(connection, [len(told).to_bytes(4)], [0, 1, 2])
        connection.sendall(told)
        return connection.recv(1)[0]


def serve(path: str) -> None:
    import connector.app  # noqa: PLC0415 - what most commands need
    import connector.catalogue.fetching  # noqa: PLC0415
    import connector.cli.connections  # noqa: PLC0415
    import connector.cli.deliveries  # noqa: PLC0415
    import connector.cli.send  # noqa: PLC0415, F401
    from connector.partners import built_in  # noqa: PLC0415

    built_in()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            ready, _, _ = select.select([listener, 0], [], [])
            if 0 in ready:  # whoever started this is gone
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(connection)
            connection.close()


def _answer(connection: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    told = b""
    while len(told) < int.from_bytes(head):
        told += connection.recv(65536)
    command = os.fork()
    if command == 0:
        _run(*json.loads(told), streams)
    _, status = os.waitpid(command, 0)
    connection.send(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


def _run(arguments: list[str], environment: dict[str, str], directory: str, streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.argv = ["connector", *arguments]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - the caller's
    code = 1
    try:
        from connector.cli import main  # noqa: PLC0415

        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[2:]:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
