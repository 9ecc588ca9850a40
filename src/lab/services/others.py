"""Servers that need no more than a command line: mail, a database, chats, and measurements."""

from __future__ import annotations

import sys
from typing import Final

from lab.programs import Program
from lab.services.service import Service, Setting

REDIS: Final = Program("redis-server", "redis-server")
IPERF: Final = Program("iperf3", "iperf3")
CHAT_PORT: Final = 8090


def mail(setting: Setting) -> list[list[str]]:
    """Take mail and forget it."""
    return [[sys.executable, "-m", "aiosmtpd", "-n", "-l", "0.0.0.0:25", "-c", "aiosmtpd.handlers.Sink"]]


def database(setting: Setting) -> list[list[str]]:
    """Keep values in memory."""
    options = ("--port", "6379", "--bind", "*", "-::*", "--protected-mode", "no", "--save", "", "--dir")
    return [[REDIS.required(), *options, str(setting.place)]]


def measurements(setting: Setting) -> list[list[str]]:
    """Take and give as many bytes as somebody asks for."""
    return [[IPERF.required(), "--server"]]


def chat(setting: Setting) -> list[list[str]]:
    """Pass on what is said."""
    return [[sys.executable, "-m", "lab.services.chat", str(CHAT_PORT)]]


SERVICES: Final = (
    Service("mail", None, mail, (("tcp", 25),)),
    Service("redis", REDIS, database, (("tcp", 6379),)),
    Service("iperf3", IPERF, measurements, (("tcp", 5201),)),
    Service("chat", None, chat, (("tcp", CHAT_PORT),)),
)
