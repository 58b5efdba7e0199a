JUSTIFIED: dict[str, str] = {}
