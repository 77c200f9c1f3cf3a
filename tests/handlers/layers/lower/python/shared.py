FROM = "lower"
