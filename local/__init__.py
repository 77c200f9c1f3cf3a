"""The program on one computer: engine, emulator, containers and a light AWS provider. Nothing outside knows of it."""
