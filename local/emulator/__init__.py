"""AWS on 127.0.0.1: ministack in a process of its own, with its differences from AWS patched."""

from local.emulator.calls import Call, read_calls
from local.emulator.process import Emulator
from local.emulator.settings import EmulatorSettings

__all__ = ["Call", "Emulator", "EmulatorSettings", "read_calls"]
