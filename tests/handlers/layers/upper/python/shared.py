FROM = "upper"
