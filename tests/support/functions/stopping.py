"""Goes before a rotation function, the module `rotation`: asks the test what to do at some points of it."""

import os
import socket
import time

import engine
import rotation

import contract


def lambda_handler(event, context):
    rotation.lambda_handler(event, context)


def stop_after(module, name, point):
    act = getattr(module, name)

    def then_stop(*arguments, **named):
        result = act(*arguments, **named)
        stop(point)
        return result

    setattr(module, name, then_stop)


def stop(point):
    host, port = os.environ["STOPS_AT"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(point.encode() + b"\n")
        word = connection.recv(64).decode()
    if word == "exit":
        os._exit(3)
    if word == "hang":
        time.sleep(3600)
    if word == "grow":
        # More than the function has, and less than the kernel refuses.
        grown = bytearray(b"x") * (110 << 20)
        time.sleep(3600 + grown[0])
    taken = []
    while word == "take all":
        taken.append(bytearray(b"x") * (8 << 20))


stop_after(contract, "put_pending", "createSecret")
stop_after(engine, "change_own_password", "setSecret")
stop_after(engine, "set_like", "setSecret")
stop_after(engine, "ask_the_time", "testSecret")
stop_after(contract, "promote", "finishSecret")
