"""Machines with a network between, to cut and to slow: network namespaces of Linux, for root."""

import ctypes
import functools
import os
import pathlib
import socket
import subprocess

import pytest

_CLONE_NEWUTS, _CLONE_NEWNET = 0x04000000, 0x40000000
_FORWARDING, _DISABLED = 3, 0
_PORT = 2222


class Network:
    """Hosts at one switch. Within the context they are there.

    What tests that were killed have left of theirs is removed; `ip netns list` shows it as
    resnet-PID-..., and `ip netns delete NAME` removes it by hand.

    Args:
      hosts: their number.

    Attributes:
      name: that of no other. With the end of its address it is that of a host: NAME-1.
    """

    def __init__(self, hosts):
        self.name = f"resnet-{os.getpid()}-{id(self):x}"
        self._switch = f"{self.name}-switch"
        self._hosts = [f"{self.name}-{index + 1}" for index in range(hosts)]

    def __enter__(self):
        if os.getuid() != 0:
            pytest.fail("Network namespaces need root: sudo make faults.")
        _remove_leftovers()
        try:
            for space in (self._switch, *self._hosts):
                _run("ip", "netns", "add", space)
                _run("ip", "-n", space, "link", "set", "lo", "up")
            self._in_switch("ip", "link", "add", "name", "bridge0", "type", "bridge")
            self._in_switch("ip", "link", "set", "bridge0", "up")
            for index, host in enumerate(self._hosts):
                self._plug_in(index, host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for space in (self._switch, *self._hosts):
            subprocess.run(["ip", "netns", "delete", space], check=False)

    def _plug_in(self, index, host):
        peer = ("type", "veth", "peer", "name", "eth0", "netns", host)
        self._in_switch("ip", "link", "add", "name", f"port{index}", *peer)
        self._in_switch("ip", "link", "set", f"port{index}", "master", "bridge0", "up")
        _run("ip", "-n", host, "address", "add", f"10.9.0.{index + 1}/24", "dev", "eth0")
        _run("ip", "-n", host, "link", "set", "eth0", "up")

    def _in_switch(self, *command):
        _run("ip", "netns", "exec", self._switch, *command)

    def addresses(self):
        """Of a worker on each host."""
        return [f"10.9.0.{index + 1}:{_PORT}" for index in range(len(self._hosts))]

    def cut(self, index):
        """The switch forgets silently what comes from a host and goes to it."""
        self._in_switch("bridge", "link", "set", "dev", f"port{index}", "state", str(_DISABLED))

    def heal(self, index):
        """The network is as before the cut."""
        self._in_switch("bridge", "link", "set", "dev", f"port{index}", "state", str(_FORWARDING))

    def slow_down(self, rate):
        """Every host receives at most so much, such as "1mbit"."""
        for index in range(len(self._hosts)):
            limit = ("tbf", "rate", rate, "burst", "16kb", "latency", "400ms")
            self._in_switch("tc", "qdisc", "add", "dev", f"port{index}", "root", *limit)

    def hide_from_itself(self, index):
        """A host does not reach its own address, as behind a NAT without hairpin."""
        _run("ip", "-n", self._hosts[index], "link", "set", "lo", "down")

    def close_port(self, index):
        """A host lets nobody in, but out it may, as behind a firewall."""
        answers = ("ipproto", "tcp", "sport", str(_PORT))
        _run("ip", "-n", self._hosts[index], "rule", "add", *answers, "blackhole")

    def enter(self, index):
        """For `prepare` of a `Process`: it runs on a host."""
        return functools.partial(_enter, self._hosts[index], f"host{index}")


def _remove_leftovers():
    for space in pathlib.Path("/run/netns").glob("resnet-*-*"):
        if not os.path.exists(f"/proc/{space.name.split('-')[1]}"):
            _run("ip", "netns", "delete", space.name)


def _run(*command):
    subprocess.run(command, check=True)


def _enter(space, name):
    library = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{space}") as file:
        if library.setns(file.fileno(), _CLONE_NEWNET) or library.unshare(_CLONE_NEWUTS):
            raise OSError(ctypes.get_errno(), f"cannot enter {space}")
    socket.sethostname(name)
