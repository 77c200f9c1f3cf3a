"""Stand-in of the Pulumi plugin awsx: the components that the program uses, of the same children by the same names."""
