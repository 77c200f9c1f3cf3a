"""The resource types, one file a service: tables of what each takes, and the functions that call AWS."""
