"""Traffic made by rule: hosts, conversations and the scenarios built of them."""
